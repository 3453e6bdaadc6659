# differing.awk - the settings that differ between two files, on one line:
#   search.population 20 -> 50, search.mutation 0.1 -> 0.2
# Use: awk -f yaml.awk -f differing.awk [-v ignore=PATTERN] OLD NEW
FNR == 1 {
    yaml_depth = 0
    file++
}
yaml_line() && !(ignore != "" && yaml_key ~ ignore) {
    if (!(yaml_key in seen)) {
        seen[yaml_key] = 1
        name[++names] = yaml_key
    }
    value[file, yaml_key] = yaml_value
}
END {
    for (i = 1; i <= names; i++) {
        was = (1, name[i]) in value ? value[1, name[i]] : "none"
        is = (2, name[i]) in value ? value[2, name[i]] : "none"
        if (was != is)
            text = text (text ? ", " : "") name[i] " " was " -> " is
    }
    print text
}
