# efficiency.awk - what one stage has used of what it asked for. Use:
#   awk -f yaml.awk -f seconds.awk -f efficiency.awk -v stage=S - RECORD
# Standard input has lines `asked cpus-per-task N`, `asked mem SIZE`, `asked time LIMIT`,
# `job ID` and, of Slurm's accounting, `account |JOB OR STEP|CPU TIME|MEMORY`.
function duration(span) {
    span += 0
    if (span >= 3600)
        return sprintf("%dh %02dm", span / 3600, span % 3600 / 60)
    if (span >= 60)
        return sprintf("%dm %02ds", span / 60, span % 60)
    return sprintf("%.3gs", span)
}
function bytes(size,    unit) {
    unit = substr(size, length(size))
    return size * (unit == "K" ? 2 ^ 10 : unit == "M" ? 2 ^ 20 : unit == "G" ? 2 ^ 30 : unit == "T" ? 2 ^ 40 : 1)
}
function of(used, asked, text) {
    return asked > 0 ? sprintf(" of %s (%.0f %%)", text, 100 * used / asked) : ""
}
FNR == NR {
    if ($1 == "asked")
        asked[$2] = $3
    else if ($1 == "job")
        job = $2
    else if ($1 == "account") {
        # The job's own line has its processor time, those of its steps the memory.
        split($0, part, "|")
        if (!index(part[2], "."))
            total = part[3]
        if (bytes(part[4]) > bytes(most))
            most = part[4]
    }
    next
}
yaml_line() {
    value[yaml_key] = yaml_value
}
END {
    printf "%s (%s%s)\n", stage, value["state"], job != "-" ? ", job " job : ""
    if (value["cpu_seconds"] == "") {
        print "  an older build has left no record of what it used"
        exit
    }
    wall = value["elapsed_seconds"]
    cpus = asked["cpus-per-task"] ? asked["cpus-per-task"] : value["threads"]
    busy = wall > 0 ? value["cpu_seconds"] / wall : 0
    printf "  processors  %.2f busy%s\n", busy,
        of(busy, cpus, cpus (asked["cpus-per-task"] ? " asked for" : " threads"))
    printf "  memory      %.0f MiB at most%s\n", value["peak_bytes"] / 2 ^ 20,
        of(value["peak_bytes"], bytes(asked["mem"]), asked["mem"] " asked for")
    printf "  time        %s%s\n", duration(wall),
        of(wall, seconds(asked["time"]), asked["time"] " asked for")
    if (total != "" || most != "")
        printf "  by Slurm    processor time %s, memory %s at most\n", total == "" ? "-" : total,
            most == "" ? "-" : most
}
