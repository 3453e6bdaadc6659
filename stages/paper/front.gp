# The Pareto front of accuracy and FLOPs, generation by generation.
width = 480; height = 380
load scripts."/style.gp"
set xlabel "FLOPs (millions of multiply-adds)"
set ylabel "validation accuracy (%)"
set palette defined (0 "#440154", 0.25 "#3b528b", 0.5 "#21918c", 0.75 "#5ec962", 1 "#d8c21a")
stats data("") every ::1 using 3 nooutput
last = STATS_max
set cbrange [0:last > 0 ? last : 1]
unset colorbox
stats data("_steps") using 1 nooutput
fronts = STATS_blocks
plot data("") every ::1 using 1:2:3 with points pointtype 7 pointsize 0.4 linecolor palette notitle, \
    for [i=0:fronts - 1] data("_steps") index i using 1:2 with steps linewidth 2 \
        linecolor palette cb last * i / (fronts > 1 ? fronts - 1.0 : 1.0) title columnheader(1), \
    data("_found") every ::1 using 1:2 with points pointtype 6 pointsize 2 linewidth 2 \
        linecolor rgb "#000000" title "found"
