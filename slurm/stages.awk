# stages.awk - the stages that a goal is made from, from what make -p prints.
# Use: awk -v goal=GOAL -v out=results/RUN/ -f stages.awk RULES (images: data.h5)

# The stage whose artifact this is; "" if it is none.
function stage_of(file) {
    if (file == "data.h5")
        return "data"
    if (index(file, out) != 1 || file !~ /\.h5$/)
        return ""
    return substr(file, length(out) + 1, length(file) - length(out) - 3)
}

# Depth first: what a stage needs stands before it. The parameters behind `file` are
# this call's own variables.
function visit(file,    stage, text, word, n, i) {
    if (file in seen)
        return
    seen[file] = 1
    n = split(needs[file], word, " ")
    for (i = 1; i <= n && word[i] != "|"; i++) {
        visit(word[i])
        if (stage_of(word[i]) != "")
            text = text " " stage_of(word[i])
    }
    stage = stage_of(file)
    if (stage != "")
        print stage text
}

# "results/run/greedy.h5: results/run/greedy.yaml results/run/warmup.h5 data.h5 | greedy"
/^[^#\t:= ]+: / || /^[^#\t:= ]+:$/ {
    target = $1
    sub(/:$/, "", target)
    known[target] = 1
    $1 = ""
    needs[target] = needs[target] $0
}
END {
    if (!(goal in known))
        exit 1
    visit(goal)
}
