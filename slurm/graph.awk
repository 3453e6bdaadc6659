# graph.awk - make's rules for artifacts as a picture for dot.
# Use: awk -v data=data/NAME.h5 -v out=results/RUN/ -f graph.awk STATES RULES
#   STATES: lines `stage state`; RULES: what make -p prints.
function stage_of(artifact) {
    if (artifact == data)
        return "data"
    if (index(artifact, out) == 1)
        artifact = substr(artifact, length(out) + 1)
    sub(/\.h5$/, "", artifact)
    return artifact
}

function base(name) {
    sub(/.*\//, "", name)
    return name
}

function draw(name, shape, colour, label) {
    if (!(name in drawn))
        printf "    \"%s\" [label=\"%s\", shape=%s, fillcolor=\"%s\"];\n", name, label, shape, colour
    drawn[name] = 1
}

function draw_file(name,    stage) {
    stage = stage_of(name)
    if (stage in state)
        draw(name, "box", state[stage] in colour ? colour[state[stage]] : colour["failed"], \
            (stage == "data" ? base(name) : stage ".h5") "\\n" state[stage])
    else
        draw(name, "note", "white", base(name))
}

BEGIN {
    colour["complete"] = "#b7e1b0"
    colour["running"] = "#ffe38c"
    colour["stale"] = "#e3d4f2"
    colour["failed"] = colour["dead"] = "#f4b3ab"
    colour["interrupted"] = "#ffd0a1"
    colour["missing"] = "#eeeeee"
    colour["queued"] = "#cfe2f3"
    colour["unknown"] = colour["lost"] = "#d9d9d9"
    print "digraph pipeline {"
    print "    rankdir=LR;"
    print "    node [style=filled, fontname=\"sans-serif\", fontsize=11];"
}
FNR == NR {
    state[$1] = $2
    next
}
# "results/x/greedy.h5: results/x/greedy.yaml results/x/warmup.h5 images.h5 | greedy"
/^[^#\t:=]*\.h5: / && $1 !~ /^\./ {
    target = $1
    sub(/:$/, "", target)
    if (!(stage_of(target) in state))
        next
    draw_file(target)
    for (i = 2; i <= NF && $i != "|"; i++) {
        draw_file($i)
        printf "    \"%s\" -> \"%s\";\n", $i, target
    }
}
END {
    print "}"
}
