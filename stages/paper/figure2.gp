# Figure 2: the chance that multi-path sampling draws enough good paths (Theorem 1).
width = 480; height = 560
load scripts."/style.gp"
q(i) = word("#56B4E9 #E69F00 #009E73 #0072B2", i)
stats data("_run") skip 1 using 1 nooutput
m = STATS_max
stats data("_run") skip 1 using 2 nooutput
k = STATS_max
set multiplot layout 2, 1
set yrange [0:1.03]
set ytics 0.2 format "%.1f"
set ylabel "chance of at least k"
set xlabel "good paths wanted, k"
set xrange [0.6:m + 0.4]
set xtics 1
plot for [i=1:4] data("") using 1:i+1 with linespoints linecolor rgb q(i) linewidth 2 \
        dashtype dashes(i) pointtype 7 pointsize 0.5 title heading(data(""), i + 1), \
    "" using ($1 == k ? $1 : NaN):4 with points pointtype 6 pointsize 1.8 linewidth 2 \
        linecolor rgb "#000000" notitle
set key off
set xlabel "paths drawn, m (k = m/2)"
set xrange [1:31]
set xtics 5
plot for [i=1:4] data("_paths") using 1:i+1 with linespoints linecolor rgb q(i) linewidth 2 \
        dashtype dashes(i) pointtype 7 pointsize 0.5, \
    "" using ($1 == m && 2 * k == m ? $1 : NaN):4 with points pointtype 6 pointsize 1.8 \
        linewidth 2 linecolor rgb "#000000"
unset multiplot
