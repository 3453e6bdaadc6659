# Figure 3: how accurate the paths are that the searches judged.
width = 480; height = 320
load scripts."/style.gp"
set xlabel "validation accuracy on the supernet (%)"
set ylabel "share of the judged paths (%)"
set yrange [0:*]
set style fill transparent solid 0.25 noborder
set boxwidth 1 relative
n = columns(data("")) - 1
plot for [i=1:n] data("") using 1:i+1 with boxes linecolor rgb colour(heading(data(""), i + 1)) \
        notitle, \
    for [i=1:n] data("") using 1:i+1 with histeps linewidth 1.5 \
        linecolor rgb colour(heading(data(""), i + 1)) title heading(data(""), i + 1)
