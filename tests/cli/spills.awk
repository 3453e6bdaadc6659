# spills.awk - prints each innermost loop that does many multiply-adds and also keeps
# vectors on the stack, from `objdump -d --no-show-raw-insn`: FUNCTION LOADS+STORES. With
# -v count=1 prints how many such loops there are, spilling or not.
/^[0-9a-f]+ <.*>:$/ {
    name = substr($2, 2, length($2) - 3)
    lines = 0
    split("", place)
    next
}
/^ *[0-9a-f]+:\t/ {
    address = $1
    sub(/:$/, "", address)
    place[address] = ++lines
    text[lines] = $0
    back[lines] = 0
    if ($2 ~ /^j/ && $3 in place) {
        # A loop; innermost if no other ends inside it.
        first = place[$3]
        inner = 1
        sums = stack = 0
        for (i = first; i < lines; i++) {
            inner = inner && !back[i]
            sums += text[i] ~ /vfn?m(add|sub)[0-9]+ps/
            stack += text[i] ~ /v?mov[au]ps.*[xyz]mm/ && text[i] ~ /\(%r[sb]p/
        }
        back[lines] = 1
        if (inner && sums >= 12) {
            loops++
            if (stack && !count)
                print name, stack
        }
    }
}
END {
    if (count)
        print loops + 0
}
