# What slurm/setup finds, installs and says, on machines made of stand-in commands.

# A machine of its own: a folder with a copy of the script, and a PATH with only the tools
# named here and the stand-ins that a test adds.
setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir -p slurm configs bin stages
    cp "$BATS_TEST_DIRNAME/../../slurm/setup" slurm/
    for tool in sh awk grep cat mkdir tail env; do
        ln -s "$(command -v $tool)" bin/$tool
    done
    echo "source: /usr/share/datasets/fashion-mnist" >configs/quickstart.yaml
    stand_in gcc 'exit 0'
    stand_in pkg-config 'case "$*" in *hdf5* | *yaml*) [ -e installed ] ;; esac'
    stand_in id 'echo 1000'
}

stand_in() { # stand_in NAME BODY
    printf '#!/bin/sh\n%s\n' "$2" >bin/"$1"
    chmod +x bin/"$1"
}

on_machine() { # standard output and error, of a run that sees this machine only
    PATH=$PWD/bin slurm/setup --modules='hdf5 openblas yaml-0.1 zlib' --compiler=gcc "$@" 2>&1
}

@test "nothing is said where nothing is missing" {
    stand_in pkg-config 'exit 0'
    run on_machine build
    [ "$status" = 0 ]
    [ -z "$output" ]
}

@test "without root or sudo it names the packages of four systems and exits 1" {
    run on_machine build
    [ "$status" = 1 ]
    [ "${lines[0]}" = "setup: missing: hdf5 yaml-0.1; install it with one of" ]
    [ "${lines[1]}" = "  Debian/Ubuntu   apt-get install libhdf5-dev libyaml-dev" ]
    [[ ${lines[2]} == "  Fedora/RHEL     dnf install hdf5-devel libyaml-devel "* ]]
    [ "${lines[3]}" = "  conda           conda install -c conda-forge hdf5 yaml" ]
    [ "${lines[4]}" = "  Spack           spack install hdf5 libyaml && spack load hdf5 libyaml" ]
}

@test "root's apt-get updates once and installs exactly what is missing" {
    stand_in id 'echo 0'
    stand_in apt-get 'echo "$DEBIAN_FRONTEND" "$@" >>calls; case "$*" in *install*) : >installed ;; esac'
    run on_machine build
    [ "$status" = 0 ]
    [ "$output" = "setup: installing libhdf5-dev libyaml-dev" ]
    [ "$(grep -c . calls)" = 2 ]
    grep -q '^noninteractive .* update$' calls
    grep -q '^noninteractive .* install -y --no-install-recommends libhdf5-dev libyaml-dev$' calls
}

@test "a user whose sudo asks no password installs through it" {
    stand_in sudo 'printf "%s\n" "$*" >>calls; case "$*" in *install*) : >installed ;; esac'
    stand_in apt-get 'exit 1'
    run on_machine build
    [ "$status" = 0 ]
    grep -q '^-n true$' calls
    grep -q '^-n env DEBIAN_FRONTEND=noninteractive apt-get .* install .*libhdf5-dev libyaml-dev$' calls
}

@test "an apt-get that fails is quoted, and the exit code is 1" {
    stand_in id 'echo 0'
    stand_in apt-get 'echo "E: no space left on the device"; exit 100'
    run on_machine build
    [ "$status" = 1 ]
    [[ $output == *"E: no space left on the device"* ]]
    [[ $output == *"apt-get install libhdf5-dev libyaml-dev"* ]]
}

@test "what is missing after the installation all the same is named" {
    stand_in id 'echo 0'
    stand_in apt-get 'exit 0'
    run on_machine build
    [ "$status" = 1 ]
    [[ $output == *"still missing after the installation: hdf5 yaml-0.1"* ]]
}

@test "a dry run names what is missing and installs nothing" {
    stand_in id 'echo 0'
    stand_in apt-get ': >called'
    run on_machine --dry-run build
    [ "$status" = 0 ]
    [ "$output" = "setup: missing: hdf5 yaml-0.1 (Debian packages: libhdf5-dev libyaml-dev)" ]
    [ ! -e called ]
}

@test "a library that pkg-config does not know, and the linker does, is not missing" {
    run on_machine --libraries='hdf5=-lhdf5 yaml-0.1=-lyaml' build
    [ "$status" = 0 ]
    [ -z "$output" ]
}

@test "a missing compiler and pkg-config are found out too" {
    rm bin/gcc bin/pkg-config
    run on_machine --dry-run build
    [[ $output == *"missing: compiler pkg-config hdf5 openblas yaml-0.1 zlib Random123 "* ]]
    [[ $output == *"packages: gcc libc6-dev pkg-config libhdf5-dev libopenblas-dev"* ]]
}

@test "the images are looked for when the config names their folder, or SET does" {
    sed -i "s,/usr/share/datasets/fashion-mnist,$PWD/datasets/fashion-mnist,g" slurm/setup
    echo "source: $PWD/datasets/fashion-mnist" >configs/quickstart.yaml
    stand_in pkg-config 'exit 0'
    run on_machine --dry-run --config=quickstart.yaml build images
    [ "$output" = "setup: missing: fashion-mnist (Debian packages: dataset-fashion-mnist)" ]
    run on_machine --config=quickstart.yaml build images
    [ "$status" = 1 ]
    [[ $output == *"make search SET=dataset.source=/the/folder"* ]]
    run on_machine --config=quickstart.yaml --set=dataset.source=/elsewhere build images
    [ "$status" = 0 ]
    [ -z "$output" ]
    mkdir -p datasets/fashion-mnist
    for name in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do
        : >datasets/fashion-mnist/$name-ubyte.gz
    done
    run on_machine --config=configs/quickstart.yaml build images
    [ "$status" = 0 ]
    [ -z "$output" ]
}

@test "a library that build.mk asks for has its packages in the table, and a fallback" {
    stand_in pkg-config 'exit 1'
    stand_in gcc 'case "$*" in *-l*) exit 1 ;; esac'
    whole_lines() { sed -e ':more' -e '/\\$/{N' -e 's/\\\n[[:blank:]]*//' -e 'b more' -e '}' "$@"; }
    modules=$(whole_lines "$BATS_TEST_DIRNAME/../../stages/build.mk" | sed -n 's/^PACKAGES := //p')
    libraries=$(whole_lines "$BATS_TEST_DIRNAME/../../stages/build.mk" | sed -n 's/^LIBRARIES := //p')
    [ -n "$modules" ]
    for module in $modules; do
        run on_machine --modules="$module" --dry-run build
        [[ $output == "setup: missing: $module (Debian packages: lib"* ||
            $output == "setup: missing: $module (Debian packages: zlib"* ]]
        [[ " $libraries" == *" $module=-l"* ]]
    done
}

@test "an unknown group or option exits 2" {
    run on_machine nonsense
    [ "$status" = 2 ]
    [ "$output" = "setup: unknown group 'nonsense'" ]
    run on_machine --nonsense build
    [ "$status" = 2 ]
}
