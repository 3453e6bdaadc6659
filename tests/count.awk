# count.awk - counts the cases of TAP files, each followed by a line `exit CODE FILE`.
/^1\.\.[0-9]+/ {
    sub(/^1\.\./, "")
    planned += $1 + 0
    has_plan = 1
}
/^ok .*# (skip|SKIP)/ {
    skipped++
    seen++
    sub(/^ok [0-9]+ (- )?/, "")
    print "skipped: " $0
    next
}
/^ok / {
    passed++
    seen++
}
/^not ok / {
    failed++
    failed_here++
    seen++
    print
}
/^# / && failed_here {
    print
}
/^exit / {
    lost = planned > seen ? planned - seen : 0
    if (!lost && !failed_here && ($2 != "0" || !has_plan))
        lost = 1 # a leak report at the end, or nothing that could be counted
    if (lost)
        print $3 ": " lost " not run to their end (exit code " $2 ")"
    failed += lost
    planned = seen = failed_here = has_plan = 0
}
END {
    printf "%d passed, %d failed\n", passed, failed
    exit failed > 0 || passed == 0
}
