# status.awk - one line of the status table, from a stage's record (it may be missing).
# Use: awk -f yaml.awk -f status.awk -v stage=S -v width=N -v state=S -v why=TEXT
#          [-v job=ID -v node=NAME] -v log_file=F RECORD
# With -v heading=yes the table's first line.
function line(stage, state, step, loss, rate, eta, elapsed, updated, where, log_file) {
    printf "  %-" width "s %-11s %13s %7s %13s %8s %8s  %-20s  %-12s  %s\n", stage, state, step,
        loss, rate, eta, elapsed, updated, where, log_file
}

function known(key) {
    return (key in value) && value[key] != "" && value[key] != "null"
}

function duration(seconds) {
    seconds += 0
    if (seconds >= 3600)
        return sprintf("%dh %02dm", seconds / 3600, seconds % 3600 / 60)
    if (seconds >= 60)
        return sprintf("%dm %02ds", seconds / 60, seconds % 60)
    return sprintf("%ds", seconds)
}

# A Slurm job and its node, or a process of a host.
function place() {
    if (job != "")
        return job (node != "" ? " " node : "")
    return known("host") ? value["host"] ":" value["pid"] : "-"
}

yaml_line() {
    value[yaml_key] = yaml_value
}
END {
    if (heading) {
        line("stage", "state", "step", "loss", "rate", "ETA", "elapsed", "updated", "job, host", "log")
        exit
    }
    text = why != "" ? why : value["message"] == state ? "" : value["message"]
    line(stage, state,
        known("total") && value["total"] > 0 ? value["done"] "/" value["total"] : "-",
        known("loss") ? sprintf("%.4g", value["loss"]) : "-",
        known("rate") ? sprintf("%.3g %s/s", value["rate"], value["unit"]) : "-",
        state == "running" && known("eta_seconds") ? duration(value["eta_seconds"]) : "-",
        known("elapsed_seconds") ? duration(value["elapsed_seconds"]) : "-",
        known("updated") ? value["updated"] : "-",
        place(),
        state == "missing" ? "-" : log_file)
    gsub(/\n/, "\n          ", text)
    if (text != "")
        printf "  %-" width "s %s\n", "", text
}
