# roofline.gp - where each kernel of a training step stands between what the machine's memory
# and its arithmetic allow: FOLDER/roofline.png from FOLDER/kernels.csv.
#
#   gnuplot -e 'folder="results/bench"' tests/bench/roofline.gp
kernels = folder . "/kernels.csv"
set terminal pngcairo size 1600, 1100 font "sans,13" fontscale 1.5 linewidth 2 background "#ffffff"
set output folder . "/roofline.png"
set datafile separator comma
stats kernels using 15 nooutput name "PEAK"
stats kernels using 16 nooutput name "BYTES"
set logscale xy
set border 3
set tics nomirror out
set grid linecolor rgb "#dddddd" linetype 1 linewidth 0.6
set key bottom right
set xlabel "multiply-adds x 2 for each byte read or written once"
set ylabel "GFLOP/s"
set xrange [0.3:300]
set yrange [5:PEAK_max * 1.3]
limit(x) = x * BYTES_max < PEAK_max ? x * BYTES_max : PEAK_max
of(network, kernel) = (strcol(1) eq network && strcol(2) eq "train" && \
    strstrt(strcol(5), kernel)) ? column(10) : NaN
plot limit(x) with lines linecolor rgb "#777777" \
        title sprintf("this machine: %.0f GFLOP/s, %.0f GB/s", PEAK_max, BYTES_max), \
    kernels using 12:(of("imagenet", "1x1")) pt 6 ps 2 lc rgb "#0072B2" title "imagenet, 1x1", \
    kernels using 12:(of("imagenet", "depthwise")) pt 8 ps 2 lc rgb "#D55E00" title "imagenet, depthwise", \
    kernels using 12:(of("imagenet", "stem")) pt 4 ps 2 lc rgb "#009E73" title "imagenet, stem", \
    kernels using 12:(of("cifar", "1x1")) pt 7 ps 1.6 lc rgb "#56B4E9" title "cifar, 1x1", \
    kernels using 12:(of("cifar", "depthwise")) pt 9 ps 1.6 lc rgb "#E69F00" title "cifar, depthwise"
