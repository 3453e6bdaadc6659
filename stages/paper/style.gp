# style.gp - what all figures share. Before it is loaded: terminal ("svg" or "png"), out (the
# picture), figures (the folder of the data), id (the figure), width and height in pixels.
#
# Narrow pictures, panels one above the other: read on a phone without turning it. Colours are
# those of Okabe and Ito, which people with any colour vision tell apart; where lines are
# many, they differ in their points or dashes too.
if (terminal eq "svg") {
    set terminal svg size width, height font "Helvetica,13" name id background "#ffffff"
} else {
    set terminal pngcairo size 2 * width, 2 * height font "sans,13" fontscale 1.5 linewidth 2 \
        background "#ffffff"
}
set output out
set encoding utf8
set datafile separator comma
set datafile missing ""
set border 3 linecolor rgb "#666666"
set tics nomirror out scale 0.5 textcolor rgb "#222222"
set grid ytics linecolor rgb "#dddddd" linetype 1 linewidth 0.6
# Above the panel, where no line is.
set key outside top left horizontal Left reverse textcolor rgb "#222222" samplen 2
set key maxrows 2
set lmargin 9
set rmargin 3

blue = "#0072B2"; vermillion = "#D55E00"; green = "#009E73"; orange = "#E69F00"
purple = "#CC79A7"; sky = "#56B4E9"; grey = "#777777"
colour(name) = \
    name eq "greedy" || name eq "GreedyNAS" ? vermillion : \
    name eq "uniform" ? blue : \
    name eq "fairnas" || name eq "FairNAS" ? green : \
    name eq "random" || name eq "random search" ? grey : \
    name eq "uniform_e" ? sky : name eq "fairnas_e" ? orange : purple
dashes(i) = i % 3 + 1
points(i) = int(word("7 5 9 13 11", (i - 1) % 5 + 1))

data(part) = figures."/".id.part.".csv"
there(part) = int(system(sprintf("test -s '%s' && echo 1 || echo 0", data(part))))
# The names in a file's first line: heading(file, 2) is the second column's.
heading(file, i) = system(sprintf("head -n 1 '%s' | cut -d , -f %d", file, i))
columns(file) = int(system(sprintf("head -n 1 '%s' | tr -cd , | wc -c", file))) + 1
