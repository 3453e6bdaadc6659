# yaml.awk - what the scripts here need of YAML, and no more: block mappings of scalars, as
# the programs write them in status records and settings. Use: awk -f yaml.awk -f X.awk

# Reads the line $0; sets yaml_key ("search.population") and yaml_value. Returns 0 for a
# line without a value of its own (blank, comment, the head of a section).
function yaml_line(    indent, name, depth) {
    if ($0 ~ /^[ \t]*(#.*)?$/ || $0 ~ /^---/)
        return 0
    match($0, /^ */)
    indent = RLENGTH
    if ($0 ~ /^ *- /) {
        yaml_value = substr($0, indent + 3)
        yaml_key = yaml_path[yaml_depth] "." ++yaml_item
        return 1
    }
    name = substr($0, indent + 1)
    yaml_value = name
    sub(/:.*/, "", name)
    if (!sub(/^[^:]*:[ \t]*/, "", yaml_value))
        return 0
    for (depth = yaml_depth; depth > 0 && yaml_indent[depth] >= indent; depth--)
        ;
    yaml_depth = depth + 1
    yaml_indent[yaml_depth] = indent
    yaml_path[yaml_depth] = (depth ? yaml_path[depth] "." : "") name
    yaml_key = yaml_path[yaml_depth]
    yaml_item = 0
    yaml_value = yaml_scalar(yaml_value)
    return yaml_value != ""
}

# A scalar without its quotes, and without a comment behind it.
function yaml_scalar(text) {
    if (text ~ /^".*"[ \t]*$/) {
        sub(/^"/, "", text)
        sub(/"[ \t]*$/, "", text)
        gsub(/\\x0A/, "\n", text)
        gsub(/\\"/, "\"", text)
        gsub(/\\\\/, "\\", text)
        return text
    }
    if (text ~ /^'.*'[ \t]*$/) {
        sub(/^'/, "", text)
        sub(/'[ \t]*$/, "", text)
        gsub(/''/, "'", text)
        return text
    }
    sub(/[ \t]+#.*/, "", text)
    sub(/[ \t]+$/, "", text)
    return text
}
