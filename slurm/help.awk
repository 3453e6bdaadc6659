# help.awk - the text of `make help`, taken from the makefiles themselves:
#   ##@ heading
#   target: prerequisites ## what it does
#   ## VARIABLE=VALUE  what it does
BEGIN {
    print "GreedyNAS: searches a network architecture, on this machine's processors.\n"
    print "  make search                        find one on Fashion-MNIST, in minutes"
    print "  make search CONFIG=mine.yaml       the experiment of configs/mine.yaml"
}
/^##@ / {
    print "\n" substr($0, 5)
    next
}
/^[a-z][a-z-]*:.*## / {
    target = $0
    sub(/:.*/, "", target)
    text = $0
    sub(/.*## /, "", text)
    printf "  make %-12s %s\n", target, text
    next
}
/^## / {
    name = substr($0, 4)
    text = name
    sub(/  .*/, "", name)
    sub(/.*  /, "", text)
    settings = settings sprintf("  %s\n      %s\n", name, text)
}
END {
    printf "\nvariables, written after the target\n%s", settings
}
