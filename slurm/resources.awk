# resources.awk - what one job asks for: lines `key value`, in no order; beside the keys of
# slurm/resources.yaml and site.example.yaml, `seconds` is the time.
# Use: awk -f yaml.awk -f seconds.awk -f resources.awk -v sections='default PROGRAM GROUP STAGE'
#          -v known_sections='default greedy retrain/ ...' -v typed='time=1:00:00 greedy.cpus=4'
#          RESOURCES.yaml [SITE.yaml]
# A later file wins over an earlier one, what was typed over both; within each, a later one
# of the sections. Problems go to standard error, all of them; then the exit code is 2.
# With none known every section is; one with a slash at its end stands for all below it.
BEGIN {
    keys = " cpus memory time stop_seconds restarts array_width partition account qos modules setup extra scratch "
    form["cpus"] = form["array_width"] = "^[1-9][0-9]*$"
    form["restarts"] = form["stop_seconds"] = "^[0-9]+$"
    form["memory"] = "^[1-9][0-9]*[KMGT]$"
    form["time"] = "^([0-9]+-)?[0-9]+(:[0-9][0-9])?(:[0-9][0-9])?$"
    expected["cpus"] = expected["array_width"] = "a number from 1 on"
    expected["restarts"] = expected["stop_seconds"] = "a number"
    expected["memory"] = "a size like 500M or 8G"
    expected["time"] = "hours:minutes:seconds or days-hours:minutes:seconds"
    n = split(sections, word, " ")
    n_known = split(known_sections, known_section, " ")
    weight[""] = 1
    for (i = 1; i <= n; i++)
        weight[word[i]] = i
}
function problem(text) {
    print "resources: " text | "cat >&2"
    wrong = 1
}
function is_known(section,    i, known) {
    for (i = 1; i <= n_known; i++) {
        known = known_section[i]
        if (section == known || known ~ /\/$/ && index(section, known) == 1)
            return 1
    }
    return n_known == 0 || section == ""
}
function consider(where, key, text, source,    section, name) {
    name = key
    sub(/.*[.]/, "", name)
    section = substr(key, 1, length(key) - length(name) - 1)
    if (index(keys, " " name " ") == 0)
        problem(where ": unknown '" key "', expected one of" keys)
    else if (!is_known(section))
        problem(where ": unknown stage '" section "' in '" key "', expected one of " known_sections)
    else if (where == "JOB" && name == "scratch")
        problem("JOB: scratch is a matter of the site's file (SITE=), or RESULTS= and DATA_FOLDER=")
    else if (name in form && text !~ form[name])
        problem(where ": " key " is '" text "', expected " expected[name])
    if (section in weight && 1000 * source + weight[section] >= best[name]) {
        best[name] = 1000 * source + weight[section]
        value[name] = text
    }
}
FNR == 1 {
    yaml_depth = 0
    files++
}
yaml_line() {
    consider(FILENAME ":" FNR, yaml_key, yaml_value, files)
}
END {
    n = split(typed, word, " ")
    for (i = 1; i <= n; i++)
        consider("JOB", word[i] ~ /=/ ? substr(word[i], 1, index(word[i], "=") - 1) : word[i],
            substr(word[i], index(word[i], "=") + 1), files + 1)
    close("cat >&2")
    if (wrong)
        exit 2
    for (name in value)
        print name, value[name]
    print "seconds", seconds(value["time"])
}
