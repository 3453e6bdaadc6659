# status.awk - one line of the status table, from a stage's record (it may be missing).
# Use: awk -f yaml.awk -f status.awk -v stage=S -v state=S -v why=TEXT -v log_file=F RECORD
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

yaml_line() {
    value[yaml_key] = yaml_value
}
END {
    step = known("total") && value["total"] > 0 ? value["done"] "/" value["total"] : "-"
    loss = known("loss") ? sprintf("%.4g", value["loss"]) : "-"
    rate = known("rate") ? sprintf("%.3g %s/s", value["rate"], value["unit"]) : "-"
    eta = state == "running" && known("eta_seconds") ? duration(value["eta_seconds"]) : "-"
    elapsed = known("elapsed_seconds") ? duration(value["elapsed_seconds"]) : "-"
    updated = known("updated") ? value["updated"] : "-"
    where = known("host") ? value["host"] ":" value["pid"] : "-"
    text = why != "" ? why : value["message"] == state ? "" : value["message"]
    printf "  %-8s %-11s %11s %8s %14s %8s %8s  %-20s  %-14s  %s\n", stage, state, step, loss,
        rate, eta, elapsed, updated, where, state == "missing" ? "-" : log_file
    if (text != "")
        printf "  %-8s %s\n", "", text
}
