# limits.awk - can a partition's nodes run this job? Use:
#   sinfo -h -e -o '%P|%c|%m|%l|%a' |
#       awk -F'|' -f seconds.awk -f limits.awk -v stage= -v cpus= -v memory= -v time= -v partition=
# Without a partition's name it is the default one, which sinfo marks with a star. Says
# what is asked for in vain; the exit code is 1 then.
function megabytes(size,    unit) {
    unit = substr(size, length(size))
    return size * (unit == "K" ? 1 / 1024 : unit == "G" ? 1024 : unit == "T" ? 1048576 : 1)
}
function complain(what, asked, most) {
    print stage ": asks for " what " " asked ", expected at most " most \
        " in partition '" name "' (slurm/resources.yaml, slurm/site.yaml, or JOB=)"
    wrong = 1
}
partition == "" && $1 !~ /\*$/ { next }
{
    found = 1
    name = $1
    sub(/\*$/, "", name)
    if ($2 + 0 > most_cpus)
        most_cpus = $2 + 0
    if ($3 + 0 > most_memory)
        most_memory = $3 + 0
    limit = $4
    up = up || $5 == "up"
    fits = fits || ($2 + 0 >= cpus + 0 && $3 + 0 >= megabytes(memory))
}
END {
    if (!found)
        exit 0
    if (cpus + 0 > most_cpus)
        complain("cpus", cpus, most_cpus)
    if (megabytes(memory) > most_memory)
        complain("memory", memory, most_memory "M")
    if (!wrong && !fits)
        complain("cpus and memory of", cpus " and " memory, "what a node has")
    if (seconds(limit) && seconds(time) > seconds(limit))
        complain("time", time, limit)
    if (!up)
        print stage ": partition '" name "' is down: the job will wait"
    exit wrong + 0
}
