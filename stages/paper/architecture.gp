# The found architecture: a box for each layer, as wide as it has channels.
set datafile separator comma
stats figures."/architecture.csv" skip 1 using 6 nooutput
layers = STATS_records; widest = STATS_max
width = 480; height = 40 + 23 * layers
load scripts."/style.gp"
unset border
unset tics
unset grid
unset key
set lmargin 0
set rmargin 0
set tmargin 0
set bmargin 0
set xrange [0:480]
set yrange [layers + 0.9:-0.9]
wide(channels) = 55 + 125 * sqrt(channels / widest)
# Lighter than the lines of other figures, for the text is on it: the more, the smaller the
# expansion is.
hue(kind) = kind eq "k3" ? 0x5cb8f0 : kind eq "k5" ? 0xf0ac35 : kind eq "k7" ? 0x43c096 : \
    kind eq "id" ? 0xf2f2f2 : 0xd9d9d9
share(expansion) = expansion < 1 || expansion > 5 ? 1.0 : 0.15 + 0.15 * expansion
part(colour, shift, share) = 255 - int((255 - ((colour >> shift) & 255)) * share)
shade(colour, share) = (part(colour, 16, share) << 16) + (part(colour, 8, share) << 8) + \
    part(colour, 0, share)
fill(kind, expansion) = shade(hue(kind), share(expansion))
set style fill solid 1 border rgb "#555555"
stage(n) = n > 0 ? sprintf("stage %d", n) : ""
plot data("") skip 1 using (240):0:(wide($6) / 2):(0.39):(fill(strcol(2), $8)) with boxxyerror \
        linecolor rgb variable, \
    "" skip 1 using (240):0:(wide($6) / 2):($9 > 0 ? 0.39 : NaN) with boxxyerror \
        fillstyle empty border linecolor rgb "#000000" linewidth 3 notitle, \
    "" skip 1 using (240):0:1 with labels textcolor rgb "#111111", \
    "" skip 1 using (28):0:(column(7) > 1 ? sprintf("%s  /%d", stage($3), int(column(7))) : "") \
        with labels left textcolor rgb "#444444", \
    "" skip 1 using (455):0:(sprintf("%d×%d×%d", int($4), int($5), int($6))) with labels right \
        textcolor rgb "#444444"
