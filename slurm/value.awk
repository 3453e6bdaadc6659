# value.awk - the value of one key: awk -f yaml.awk -f value.awk -v key=dataset.name FILE
yaml_line() && yaml_key == key {
    print yaml_value
    exit
}
