# seconds.awk - Slurm's times: minutes, minutes:seconds, hours:minutes:seconds, and each
# with days- before it (then hours come first).
function seconds(time,    days, n, part) {
    if (time ~ /^(infinite|UNLIMITED|n\/a|)$/)
        return 0
    if (index(time, "-")) {
        days = substr(time, 1, index(time, "-") - 1)
        time = substr(time, index(time, "-") + 1)
        n = split(time, part, ":")
        return days * 86400 + part[1] * 3600 + (n > 1 ? part[2] * 60 : 0) + (n > 2 ? part[3] : 0)
    }
    n = split(time, part, ":")
    if (n == 1)
        return part[1] * 60
    if (n == 2)
        return part[1] * 60 + part[2]
    return part[1] * 3600 + part[2] * 60 + part[3]
}
