# shellcheck shell=sh disable=SC2034 # what it sets is for those who read it
# queue.sh - what Slurm's queue has of a run's jobs. Read with `. slurm/queue.sh`.
#
# A job makes one artifact, FOLDER/NAME.h5 (an element of a job array, too). Here an
# artifact goes by its place, FOLDER/NAME; FOLDER/jobs/NAME/ is its submission:
#   arguments settings.yaml local ...   what runs, copied when it was submitted
#   name, id    the job's name (in an array, and the index) and number (1235, or 1235_3)
#   options     sbatch's options, one a line
#   moved       there when it has moved the artifact's old generation to NAME.old.h5
#   attempts    how far it was at its last start, and how many starts brought it no further
#   cancelled   there when a person has cancelled it
#   ended       exit code and a message, when the job's end is known
# The queue decides what is in flight; where it does not answer, nobody knows.

# How long Slurm may take to answer; its own limit is a minute and more.
queue_seconds=${GREEDYNAS_SLURM_SECONDS:-8}

# queue_elsewhere RESULTS: what a person types after RUN=NAME where results are kept elsewhere
queue_elsewhere() { [ "$1" = results ] || printf ' RESULTS=%s' "$1"; }

# What a shell inside a job, or a person's profile, has set would change what is asked.
# Accounts and the like that sites tell people to put there stay.
queue_environment() {
    for queue_name in $(env | sed -n 's/^\(S[A-Z]*_[A-Z0-9_]*\)=.*/\1/p'); do
        case $queue_name in
        SLURM_CONF | SLURM_CLUSTERS | SBATCH_ACCOUNT | SBATCH_PARTITION | SBATCH_QOS) ;;
        SBATCH_RESERVATION | SBATCH_CONSTRAINT | SBATCH_CLUSTERS) ;;
        SLURM_* | SBATCH_* | SQUEUE_* | SINFO_* | SACCT_* | SCANCEL_* | SCONTROL_*)
            unset "$queue_name" ;;
        esac
    done
}

# Fills $queue, one line per job or element of an array: ID|STATE|REASON|NODE|NEEDS|NAME.
# Where there is no answer it returns 1, and $queue_problem says why.
queue_ask() {
    queue_problem=''
    queue=$(queue_environment
        timeout "$queue_seconds" squeue -h -r -u "$(id -un)" -t PD,R,CG,CF,S,ST,RQ,SE,RH,SI,SO,RS \
            -o '%i|%T|%r|%N|%E|%j' 2>&1)
    queue_code=$?
    [ $queue_code != 0 ] || return 0
    queue_problem=$(printf '%s\n' "$queue" | tail -n 1)
    [ $queue_code != 124 ] || queue_problem="no answer in $queue_seconds seconds"
    [ $queue_code != 127 ] || queue_problem="there is no squeue"
    queue=''
    return 1
}

queue_folder() { # queue_folder PLACE: its submission
    case $1 in
    */*) echo "${1%/*}/jobs/${1##*/}" ;;
    *) echo "jobs/$1" ;;
    esac
}
# queue_job_name FILE: of the job that makes it. The sum tells folders of one name apart.
queue_job_name() {
    queue_path=$(cd "$(dirname "$1")" 2>/dev/null && pwd -P)/${1##*/}
    queue_sum=$(echo "$queue_path" | cksum)
    queue_parent=${queue_path%/*}
    echo "${1##*/}.${queue_parent##*/}.${queue_sum%% *}"
}

# queue_line PLACE: the line of the job that is to make this artifact, or that does; 1 when
# there is none in $queue. One that can never start is none.
queue_line() {
    queue_place=$(queue_folder "$1")
    queue_id=$(cat "$queue_place/id" 2>/dev/null)
    # Killed between sbatch and the note of its number: the name tells.
    queue_name=$(cat "$queue_place/name" 2>/dev/null || queue_job_name "$1")
    queue_over=''
    [ ! -e "$queue_place/ended" ] || queue_over=yes
    printf '%s\n' "$queue" | awk -F'|' -v id="$queue_id" -v name="$queue_name" -v over="$queue_over" '
        BEGIN {
            index_wanted = name ~ / / ? "_" substr(name, index(name, " ") + 1) : ""
            sub(/ .*/, "", name)
        }
        $2 == "COMPLETING" && over || $3 == "DependencyNeverSatisfied" { next }
        {
            index_found = $1
            sub(/^[0-9]*/, "", index_found)
        }
        # A number alone may be that of a stranger: they begin anew with the controller.
        $6 == name && (id != "" ? $1 == id : index_found == index_wanted) {
            print
            found = 1
            exit
        }
        END { exit !found }'
}
queue_field() { # queue_field NUMBER LINE
    echo "$2" | cut -d'|' -f"$1"
}
# queue_note FILE TEXT: whole, or not at all; whoever reads it never finds it empty.
queue_note() {
    printf '%s\n' "$2" >"$1.new.$$" && mv "$1.new.$$" "$1"
}
# queue_number ANSWER: the job's number in what sbatch has printed: 1235, or 1235;CLUSTER,
# in a line of its own among others that a cluster may add.
queue_number() {
    printf '%s\n' "$1" | sed -n 's/^\([0-9][0-9]*\)\(;.*\)\{0,1\}$/\1/p' | tail -n 1
}
# queue_unsettled PLACE: it was submitted, and no end is known: only the queue can tell.
queue_unsettled() {
    queue_place=$(queue_folder "$1")
    [ -d "$queue_place" ] && [ ! -e "$queue_place/ended" ]
}
# queue_followers ID: the jobs that wait for that one, each with all that it waits for.
queue_followers() {
    printf '%s\n' "$queue" | awk -F'|' -v id="$1" '
        {
            needs = $5
            gsub(/\([a-z]*\)/, "", needs)
            if (index("," needs ",", ",afterok:" id ","))
                print $1, needs
        }'
}
# queue_submissions FOLDER...: all below these, one a line; and whose each is.
queue_submissions() {
    find "$@" -name arguments -path '*/jobs/*' 2>/dev/null | sed 's,/arguments$,,' | sort -u
}
queue_place() {
    echo "${1%/jobs/*}/${1##*/}"
}
# queue_chosen OUT STAGE FOLDER...: the submissions below these, all or, of the run OUT, the
# stage's; `retrain` and the like stand for all of their folder, `data` is what is elsewhere.
queue_chosen() {
    queue_out=$1 queue_stage=$2
    shift 2
    for queue_each in $(queue_submissions "$@"); do
        queue_place=$(queue_place "$queue_each")
        case $queue_stage:$queue_place in
        :* | "$queue_stage:$queue_out/$queue_stage" | "$queue_stage:$queue_out/$queue_stage/"*) ;;
        "data:$queue_out"/*) continue ;;
        data:*) ;;
        *) continue ;;
        esac
        echo "$queue_each"
    done
}
# queue_stages OUT: what of the run was ever submitted, on one line
queue_stages() {
    for queue_each in $(queue_submissions "$1"); do
        queue_place "$queue_each"
    done | sed "s,^$1/,," | paste -s -d ' '
}
# queue_same_settings FILE FILE: they are there, and give the same artifact. How often a
# checkpoint is written does not change what is made.
queue_same_settings() {
    [ -e "$1" ] && [ -z "$(awk -f slurm/yaml.awk -f slurm/differing.awk -v ignore='^checkpoint[.]' "$1" "$2")" ]
}
# queue_alone OUT SECONDS: nobody else changes what this run has in the queue, until the
# caller ends, or closes 7; 1 when somebody has done so for that long.
queue_alone() {
    exec 7>>"$1/submission.lock" && flock -w "$2" 7
}
# queue_new_job NAME BEFORE: the number of a job of that name that $queue has, and had not
# when it was BEFORE; empty if there is none.
queue_new_job() {
    printf '%s\n\n%s\n' "$2" "$queue" | awk -F'|' -v name="$1" '
        $0 == "" { now = 1 }
        { sub(/_.*/, "", $1) }
        !now { old[$1] }
        now && $6 == name && $2 != "COMPLETING" && !($1 in old) {
            print $1
            exit
        }'
}
# queue_move_back PLACE: what its submission has moved aside, if it is not made anew
queue_move_back() {
    queue_place=$(queue_folder "$1")
    [ -e "$queue_place/moved" ] || return 0
    [ ! -e "$1.old.h5" ] || [ -e "$1.h5" ] || mv "$1.old.h5" "$1.h5"
    rm -f "$queue_place/moved"
}
