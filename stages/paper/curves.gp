# Training curves: the loss of the batches; what greedy draws from; the pool's loss.
rounds = int(system(sprintf("test -s '%s/curves_rounds.csv' && echo 1 || echo 0", figures)))
width = 480; height = rounds ? 780 : 280
load scripts."/style.gp"
set multiplot layout 1 + 2 * rounds, 1
set xrange [0:*]
set xlabel "training steps"
set ylabel "training loss (nats)"
stats data("") every ::1 using 1 nooutput
last = STATS_max
set xrange [0:last]
of(stage, name) = stage eq name ? 1 : NaN
plot data("") every ::1 using 1:($2 * of(strcol(4), "warmup")) with lines linewidth 1.5 \
        linecolor rgb blue title "warm-up", \
    "" every ::1 using 1:($2 * of(strcol(4), "greedy")) with lines linewidth 1.5 \
        linecolor rgb vermillion title "greedy"
if (rounds) {
    set ylabel "share"
    set yrange [0:1.05]
    plot data("_rounds") using "step":"epsilon" with lines linewidth 2 linecolor rgb green \
            title "ε", \
        "" using "step":"turnover" with lines linewidth 2 linecolor rgb purple \
            title "turnover"
    set ylabel "validation loss (nats)"
    set yrange [*:*]
    plot data("_rounds") using "step":"drawn_loss" with lines linewidth 1 linecolor rgb grey \
            title "drawn", \
        "" using "step":"kept_loss" with lines linewidth 1 linecolor rgb orange \
            title "kept", \
        "" using "step":"pool_loss" with lines linewidth 2 linecolor rgb vermillion \
            title "pool"
}
unset multiplot
