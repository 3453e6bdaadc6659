# Figure 4: how well few images rank paths; over training too, when there are snapshots.
panels = 1 + int(system(sprintf("test -s '%s/figure4_steps.csv' && echo 1 || echo 0", figures)))
width = 480; height = 60 + 260 * panels
load scripts."/style.gp"
set multiplot layout panels, 1
set ylabel "Kendall τ-b"
set style fill transparent solid 0.18 noborder
set xlabel "validation images that rank"
set logscale x
set yrange [*:1]
n = (columns(data("")) - 1) / 3
plot for [i=1:n] data("") using 1:3*i:3*i+1 with filledcurves \
        linecolor rgb colour(heading(data(""), 3 * i - 1)) notitle, \
    for [i=1:n] data("") using 1:3*i-1 with linespoints linewidth 2 \
        pointtype points(i) pointsize 0.8 linecolor rgb colour(heading(data(""), 3 * i - 1)) \
        title heading(data(""), 3 * i - 1)
if (panels == 2) {
    unset logscale x
    set xlabel "steps of uniform training"
    set xrange [0:*]
    plot for [i=1:2] data("_steps") using 1:3*i:3*i+1 with filledcurves \
            linecolor rgb word(blue." ".orange, i) notitle, \
        for [i=1:2] data("_steps") using 1:3*i-1 with linespoints linewidth 2 \
            pointtype points(i) pointsize 0.8 \
            linecolor rgb word(blue." ".orange, i) title heading(data("_steps"), 3 * i - 1)
}
unset multiplot
