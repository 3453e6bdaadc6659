# prepare: IDX files become a dataset; each bad input has its message and exit code.

setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    prepare=$(realpath "$BUILD/prepare")
    cd "$BATS_TEST_TMPDIR"
    mkdir src
    # 6 training images of 3 x 2, of the classes 0 1 0 1 1 0; and 2 test images
    images src/train-images-idx3-ubyte 6
    labels src/train-labels-idx1-ubyte '\0\1\0\1\1\0' 6
    images src/t10k-images-idx3-ubyte 2
    labels src/t10k-labels-idx1-ubyte '\1\0' 2
    config
}

# images FILE N: N < 8 images whose bytes count up from 1
images() {
    {
        printf '\0\0\10\3\0\0\0\'"$2"'\0\0\0\3\0\0\0\2'
        for ((i = 1; i <= $2 * 6; i++)); do printf "\\$(printf %o "$i")"; done
    } >"$1"
}

labels() { # labels FILE BYTES N
    { printf '\0\0\10\1\0\0\0\'"$3"; printf "$2"; } >"$1"
}

config() { # config [EXPRESSION]: tiny.yaml, as edited by sed
    sed "${1-}" >tiny.yaml <<'YAML'
stage: prepare
seed: 1
dataset:
  name: tiny
  format: idx
  source: src
  validation_per_class: 1
space:
  input: [3, 2, 1]
  classes: 2
YAML
}

# refused STATUS MESSAGE: runs prepare, which ends so and leaves no dataset. Who ends early
# gives no memory back, so leaks are not looked for.
refused() {
    ASAN_OPTIONS=detect_leaks=0 run "$prepare" --config=tiny.yaml --out=tiny.h5 --quiet
    echo "$output"
    [ "$status" = "$1" ]
    [ "$output" = "$2" ]
    [ -z "$(ls | grep '^tiny\.h5')" ]
}

python() { # sets $python, or skips the test
    python=${PYTHON:-/usr/bin/python3}
    "$python" -c 'import h5py, numpy' 2>/dev/null || skip "$python has no h5py"
}

@test "a good source makes a dataset, and says what it read" {
    run "$prepare" --config=tiny.yaml --out=tiny.h5
    [ "$status" = 0 ]
    [[ ${lines[0]} == "prepare: read 'src/train-images-idx3-ubyte': 6 items, 52 bytes, sha256:"* ]]
    [[ ${lines[3]} == "prepare: read 'src/t10k-labels-idx1-ubyte': 2 items, 10 bytes, sha256:"* ]]
    [ "${lines[4]}" = "prepare: wrote 'tiny.h5': 4 training, 2 validation, 2 test images in 2 classes" ]
    grep -qx 'state: "complete"' tiny.status.yaml
}

@test "standard output stays empty, and --quiet says nothing" {
    [ -z "$("$prepare" --config=tiny.yaml --out=tiny.h5 2>/dev/null)" ]
    [ -z "$("$prepare" --config=tiny.yaml --out=tiny.h5 --quiet 2>&1)" ]
}

@test "a missing option is asked for" {
    run "$prepare" --config=tiny.yaml
    [ "$status" = 2 ]
    [[ $output == *"--out"* ]]
}

@test "a missing folder is named" {
    config 's/source: src/source: lost/'
    refused 1 "prepare: dataset.source: there is no folder 'lost'"
}

@test "a missing file is named, with and without .gz" {
    rm src/t10k-images-idx3-ubyte
    refused 1 "prepare: dataset.source: there is neither 'src/t10k-images-idx3-ubyte' nor 'src/t10k-images-idx3-ubyte.gz'"
}

@test "the reason of a failure is in the status record" {
    rm src/t10k-images-idx3-ubyte
    run "$prepare" --config=tiny.yaml --out=tiny.h5
    [ "$status" = 1 ]
    grep -qx 'state: "failed"' tiny.status.yaml
    grep -q "^message: \"dataset.source: there is neither " tiny.status.yaml
}

@test "a truncated file says found and announced" {
    truncate -s 51 src/train-images-idx3-ubyte
    refused 1 "prepare: 'src/train-images-idx3-ubyte': it has 51 bytes (truncated), its header announces 52"
}

@test "bytes after the last element are refused" {
    printf x >>src/train-labels-idx1-ubyte
    refused 1 "prepare: 'src/train-labels-idx1-ubyte': it has 15 bytes, its header announces 14"
}

@test "a truncated gzip file is refused" {
    gzip -n src/train-images-idx3-ubyte
    size=$(stat -c %s src/train-images-idx3-ubyte.gz)
    truncate -s $((size - 1)) src/train-images-idx3-ubyte.gz
    refused 1 "prepare: 'src/train-images-idx3-ubyte.gz': its gzip data ends too early, after $((size - 1)) bytes"
}

@test "bytes after the gzip data are refused" {
    gzip -n src/train-images-idx3-ubyte
    printf abc >>src/train-images-idx3-ubyte.gz
    refused 1 "prepare: 'src/train-images-idx3-ubyte.gz': 3 bytes follow its gzip data, expected none"
}

@test "what is not IDX is refused" {
    echo 'hello, world' >src/train-images-idx3-ubyte
    refused 1 "prepare: 'src/train-images-idx3-ubyte': it is not an IDX file: it starts with 68 65, expected 00 00"
}

@test "numbers of another type are refused" {
    printf '\0\0\15\1\0\0\0\1\0\0\0\0' >src/train-images-idx3-ubyte
    refused 1 "prepare: 'src/train-images-idx3-ubyte': its elements have IDX type 0d, expected 08 (unsigned bytes)"
}

@test "absurd dimensions are compared, not allocated" {
    printf '\0\0\10\3\177\377\377\377\0\0\0\3\0\0\0\2' >src/train-images-idx3-ubyte
    case $prepare in
    */san/*) ;; # the address sanitizer reserves more than that itself
    *) ulimit -v 4000000 ;;
    esac
    refused 1 "prepare: 'src/train-images-idx3-ubyte': it has 16 bytes (truncated), its header announces 12884901898"
}

@test "images of another size than space.input are refused" {
    config 's/input: .*/input: [32, 32, 3]/'
    refused 1 "prepare: 'src/train-images-idx3-ubyte': its images are 3 x 2 x 1, space.input is 32 x 32 x 3"
}

@test "labels in the place of images are refused" {
    cp src/train-labels-idx1-ubyte src/train-images-idx3-ubyte
    refused 1 "prepare: 'src/train-images-idx3-ubyte': it has 1 dimensions, expected 3 (image, height, width) or 4 (and channel)"
}

@test "images in the place of labels are refused" {
    cp src/train-images-idx3-ubyte src/train-labels-idx1-ubyte
    refused 1 "prepare: 'src/train-labels-idx1-ubyte': it has 3 dimensions, expected 1 (label)"
}

@test "no images are refused" {
    printf '\0\0\10\3\0\0\0\0\0\0\0\3\0\0\0\2' >src/t10k-images-idx3-ubyte
    refused 1 "prepare: 'src/t10k-images-idx3-ubyte': it has 0 images, expected 1 to 2147483647"
}

@test "another number of labels than of images is refused" {
    labels src/train-labels-idx1-ubyte '\0\1\0\1\1' 5
    refused 1 "prepare: 'src/train-labels-idx1-ubyte' has 5 labels, 'src/train-images-idx3-ubyte' has 6 images"
}

@test "a label that is no class is refused" {
    labels src/train-labels-idx1-ubyte '\0\1\0\2\1\0' 6
    refused 1 "prepare: 'src/train-labels-idx1-ubyte': label 3 is 2, expected 0 to 1 (space.classes is 2)"
}

@test "a class with too few images for validation is refused" {
    config 's/validation_per_class: .*/validation_per_class: 3/'
    refused 1 "prepare: 'src/train-labels-idx1-ubyte': class 0 ('0') has 3 images, expected more than the 3 that dataset.validation_per_class takes away"
}

@test "images of one colour are refused" {
    { head -c 16 src/train-images-idx3-ubyte; head -c 36 /dev/zero; } >zero
    mv zero src/train-images-idx3-ubyte
    refused 1 "prepare: 'src/train-images-idx3-ubyte': all pixels of channel 0 have the same value, expected images"
}

@test "another number of class names than of classes is refused" {
    printf 'cat\ndog\neel\n' >src/class_names.txt
    refused 1 "prepare: 'src/class_names.txt' has 3 class names, space.classes is 2"
}

@test "an empty class name is refused" {
    printf 'cat\n\n' >src/class_names.txt
    refused 1 "prepare: 'src/class_names.txt':2: the line is empty, expected a class name"
}

@test "a folder that does not exist cannot be written to" {
    run "$prepare" --config=tiny.yaml --out=lost/tiny.h5 --quiet
    [ "$status" = 1 ]
    [[ $output == *"prepare: 'lost/tiny.h5': cannot create 'lost/tiny.h5.tmp."*"': No such file or directory" ]]
}

@test "the dataset is what the sources are, split by class" {
    python
    printf 'cat\ndog\n' >src/class_names.txt
    gzip -n src/t10k-labels-idx1-ubyte
    "$prepare" --config=tiny.yaml --out=tiny.h5 --quiet
    "$python" - <<'PYTHON'
import hashlib, h5py, numpy

f = h5py.File("tiny.h5")
images = numpy.arange(1, 37, dtype="u1").reshape(6, 3, 2, 1)
labels = numpy.array([0, 1, 0, 1, 1, 0])
train, validation = f["train/index"][:], f["validation/index"][:]
assert sorted([*train, *validation]) == list(range(6))
for split in "train", "validation":
    index = f[split]["index"][:]
    assert (f[split]["images"][:] == images[index]).all()
    assert (f[split]["labels"][:] == labels[index]).all()
    assert f[split]["images"].dtype == "u1" and f[split]["labels"].dtype == "i4"
assert sorted(labels[validation]) == [0, 1]
assert list(f["train/class_counts"]) == [2, 2]
assert (f["test/images"][:] == images[:2]).all() and list(f["test/labels"]) == [1, 0]
assert list(f["class_names"].asstr()) == ["cat", "dog"]
pixels = images[train].astype("f8") / 255
assert abs(f["mean"][0] - pixels.mean()) < 1e-12
assert abs(f["deviation"][0] - pixels.std()) < 1e-12
for name, size, digest in zip(f["sources/file"].asstr(), f["sources/bytes"],
                              f["sources/digest"].asstr()):
    source = open("src/" + name, "rb").read()
    assert size == len(source)
    assert digest == "sha256:" + hashlib.sha256(source).hexdigest()
files = list(f["sources/file"].asstr())
assert len(files) == 5 and files[3].endswith("ubyte.gz") and files[4] == "class_names.txt"
PYTHON
}

@test "h5py reads attributes, descriptions, units, checksums and the digest" {
    python
    "$prepare" --config=tiny.yaml --out=tiny.h5 --quiet --threads=1
    "$python" - <<'PYTHON'
import hashlib, h5py, numpy

f = h5py.File("tiny.h5")
text = {k: v.decode() for k, v in f.attrs.items() if isinstance(v, bytes)}
assert text["stage"] == "prepare" and "seed: 1\n" in text["config"]
assert "HDF5" in text["libraries"] and "OpenBLAS" in text["libraries"]
assert text["started"] <= text["finished"] and text["cpu"] and text["code"]
assert f.attrs["format"] == 1 and f.attrs["seed"] == 1 and f.attrs["threads"] == 1
assert len(f.attrs["inputs"]) == 0

kinds = {"f4": "f32", "f8": "f64", "i4": "i32", "i8": "i64", "u1": "u8"}
lines = []
def look(name, array):
    if not isinstance(array, h5py.Dataset):
        return
    assert array.attrs["description"] and array.attrs["units"], name
    assert array.fletcher32 or array.shape == (), name
    if array.dtype.kind == "S":
        kind, data = "text", b"".join(t + b"\0" for t in array[:])
    else:
        kind, data = kinds[array.dtype.str[1:]], numpy.ascontiguousarray(array[:]).tobytes()
    shape = "x".join(map(str, array.shape)) or "scalar"
    digest = hashlib.sha256(data).hexdigest()
    lines.append(f"{name} {kind} {shape} sha256:{digest}\n")
f.visititems(look)
assert len(lines) == 18
lines.sort(key=lambda line: line.split(" ")[0].encode())
assert text["digest"] == "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()
PYTHON
}

@test "images with a channel dimension are taken as they are" {
    python
    printf '\0\0\10\4\0\0\0\2\0\0\0\1\0\0\0\1\0\0\0\3\1\2\3\4\5\6' >src/t10k-images-idx3-ubyte
    printf '\0\0\10\4\0\0\0\4\0\0\0\1\0\0\0\1\0\0\0\3\1\2\3\4\5\6\7\7\7\10\11\12' >src/train-images-idx3-ubyte
    labels src/train-labels-idx1-ubyte '\0\1\0\1' 4
    config 's/input: .*/input: [1, 1, 3]/'
    "$prepare" --config=tiny.yaml --out=tiny.h5 --quiet
    "$python" -c 'import h5py
f = h5py.File("tiny.h5")
assert f["test/images"][:].tolist() == [[[[1, 2, 3]]], [[[4, 5, 6]]]]
assert f["mean"].shape == (3,)'
}

@test "the digest depends on the seed, and on neither threads nor folder" {
    python
    digest() {
        "$python" -c 'import h5py, sys; print(h5py.File(sys.argv[1]).attrs["digest"])' "$1"
    }
    "$prepare" --config=tiny.yaml --out=one.h5 --quiet --threads=1
    mv src other
    config 's/source: src/source: other/'
    "$prepare" --config=tiny.yaml --out=two.h5 --quiet --threads=2
    [ "$(digest one.h5)" = "$(digest two.h5)" ]
    for seed in 2 3 4 5 6 7; do # 9 splits are possible: seven alike have a chance of 1e-6
        config "s/source: src/source: other/; s/seed: 1/seed: $seed/"
        "$prepare" --config=tiny.yaml --out=other.h5 --quiet
        [ "$(digest one.h5)" = "$(digest other.h5)" ] || return 0
    done
    false
}
