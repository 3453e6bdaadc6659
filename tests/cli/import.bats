# prepare: image files, tars of them, ILSVRC2012's archives, CIFAR. Good sources become
# datasets; each bad one has its message, and leaves nothing that looks like one.

setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    prepare=$(realpath "$BUILD/prepare")
    pictures=$(realpath tests/cli/pictures.pl)
    cd "$BATS_TEST_TMPDIR"
}

# config HEIGHT WIDTH [EXPRESSION]: tiny.yaml, as edited by sed
config() {
    sed "${3-}" >tiny.yaml <<YAML
stage: prepare
seed: 1
dataset:
  name: tiny
  format: imagefolder
  source: src
  validation_per_class: 1
space:
  input: [$1, $2, 3]
  classes: 2
YAML
}

pictures() { perl "$pictures" "$1" "${2-src}"; } # pictures KIND [FOLDER]

# refused PATTERN [OPTION...]: fails with such a message, and leaves no dataset.
refused() {
    local message=$1
    shift
    ASAN_OPTIONS=detect_leaks=0 run "$prepare" --config=tiny.yaml --out=tiny.h5 --quiet "$@"
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == $message ]]
    [ -z "$(ls | grep '^tiny\.h5')" ]
}

made() { "$prepare" --config=tiny.yaml --out="$1" "${@:2}"; }
digest() { h5dump -a digest "$1" | sed -n 's/.*(0): "\(.*\)"/\1/p' | grep .; }
# values FILE ARRAY: its elements, on one line
values() {
    h5dump -y -w 0 -d "$2" "$1" |
        awk '/DATA \{/ { on = 1; next } on && /}/ { exit } on' |
        sed 's/\\000//g' | tr -s ' \n' ' '
}

@test "a folder of images of the right size becomes pixels" {
    pictures png
    config 6 8
    run made tiny.h5
    echo "$output"
    [ "$status" = 0 ]
    [ "${lines[0]}" = "prepare: 'src' has 6 images in 'train', 3 to 3 in each of 2 classes" ]
    [ "${lines[1]}" = "prepare: 'src' has 2 images in 'test', 1 to 1 in each of 2 classes" ]
    [[ $output == *"prepare: wrote 'tiny.h5': 4 training, 2 validation, 2 test images in 2 classes" ]]
    # test/dog/1.png is the eighth picture: it begins with 56
    values tiny.h5 test/images | grep -q ' 28, 29, 30, .* 56, 57, 58, '
    [ "$(values tiny.h5 test/labels)" = " 0, 1 " ]
    [ "$(values tiny.h5 test/file)" = ' "test/cat/1.png", "test/dog/1.png" ' ]
    [ "$(values tiny.h5 class_names)" = ' "cat", "dog" ' ]
    [ "$(values tiny.h5 train/class_counts)" = " 2, 2 " ]
    [ "$(ls tiny.*)" = "$(printf '%s\n' tiny.h5 tiny.status.yaml tiny.yaml)" ]
}

@test "a tar, compressed or not, gives the same as the folder" {
    for kind in png jpg; do
        rm -rf src
        pictures $kind
        config 6 8
        made folder.h5 --quiet
        tar -cf pictures.tar -C src .
        tar -czf pictures.tgz -C src .
        mv src folder
        tar -cf deeper.tar folder
        for tar in pictures.tar pictures.tgz deeper.tar; do
            mv $tar src
            made $tar.h5 --quiet
            rm src
            for array in train/labels train/index test/labels mean class_names; do
                [ "$(values folder.h5 $array)" = "$(values $tar.h5 $array)" ]
            done
        done
        # Of pixels, in whatever order: to the bit.
        [ $kind = jpg ] || [ "$(digest pictures.tar.h5)" = "$(digest folder.h5)" ]
        [ $kind = jpg ] || [ "$(digest pictures.tgz.h5)" = "$(digest folder.h5)" ]
        rm -rf folder
    done
}

@test "images of any size stay files, and what was half done is removed" {
    pictures jpg
    config 6 8
    made tiny.h5 --quiet
    size=$(stat -c %s src/train/cat/1.jpg)
    h5dump -H -d encoded tiny.h5 | grep -q "( $((8 * size)) )"
    [ "$(values tiny.h5 test/size)" = " $size, $size " ]
    [ "$(values tiny.h5 test/file)" = ' "val/cat/1.jpg", "val/dog/1.jpg" ' ]
    h5dump -d encoded -b NATIVE -o bytes tiny.h5 >/dev/null
    cmp -n "$size" bytes src/train/cat/1.jpg
    [ "$(ls tiny.*)" = "$(printf '%s\n' tiny.h5 tiny.status.yaml tiny.yaml)" ]
}

@test "dataset.decode says when images are decoded" {
    pictures png
    config 6 8 '/validation/a\  decode: read'
    made tiny.h5 --quiet
    h5dump -H tiny.h5 | grep -q '"encoded"'
    rm -rf src tiny.h5
    pictures jpg
    config 6 8 '/validation/a\  decode: import'
    # (one thread: two would both say it)
    refused "prepare: 'train/cat/1.jpg' is 30 x 40, space.input is 6 x 8; with dataset.decode=read pictures may be of any size" --threads=1
}

@test "the dataset does not depend on the threads" {
    pictures jpg
    config 6 8
    made one.h5 --quiet --threads=1
    made two.h5 --quiet --threads=2
    [ "$(digest one.h5)" = "$(digest two.h5)" ]
}

@test "a missing source is named" {
    config 6 8
    refused "prepare: dataset.source: there is no folder or tar file 'src'"
}

@test "what is no tar is refused" {
    echo 'hello, world' >src
    config 6 8
    refused "prepare: 'src' cannot be read as a tar archive: Unrecognized archive format"
}

@test "an empty folder is refused" {
    mkdir src
    config 6 8
    refused "prepare: 'src' has no images, expected train/CLASS/*.jpg, and test/ or val/"
}

@test "a damaged tar says where" {
    pictures png folder
    tar --sort=name -cf src -C folder train test
    # The header of train/cat/2.png: two folders and an image of a block are before it
    at=$(grep -abo 'train/cat/2.png' src | head -n 1)
    printf 'XXXX' | dd of=src bs=1 seek="${at%%:*}" conv=notrunc status=none
    config 6 8
    refused "prepare: 'src' cannot be read after 'train/cat/1.png': Damaged tar archive"
}

@test "a truncated tar is refused before anything is decoded" {
    pictures png folder
    tar --sort=name -cf whole -C folder train test
    config 6 8
    at=$(grep -abo 'train/dog/3.png' whole | head -n 1)
    head -c $((${at%%:*} + 600)) whole >src
    refused "prepare: 'src' cannot be read after 'train/dog/3.png': Truncated *"
    # A large file is passed over by seeking.
    head -c 3000000 /dev/zero >folder/train/dog/4.png
    tar --sort=name -cf whole -C folder test train
    head -c 2000000 whole >src
    refused "prepare: 'src' cannot be read after 'train/dog/4.png': Truncated *"
}

@test "an archive that was cut between two files is refused, and so is one in another" {
    pictures png folder
    tar -b 1 --sort=name -cf whole -C folder test train
    config 6 8
    head -c -1024 whole >src
    message="without the blocks of zeros that end"
    refused "prepare: 'src' ends after 'train/dog/3.png' $message an archive: it was cut short"
    # One such block will do, as GNU tar has it.
    head -c -512 whole >src
    made tiny.h5 --quiet
    rm -rf src tiny.h5
    pictures ilsvrc
    config 6 8 's/imagefolder/ilsvrc2012/'
    tar -b 1 -cf dog.tar -C src/work/train/dog 1.JPEG 2.JPEG 3.JPEG
    head -c -1024 dog.tar >src/work/tars/dog.tar
    tar -cf src/ILSVRC2012_img_train.tar -C src/work/tars cat.tar dog.tar
    refused "prepare: 'src/ILSVRC2012_img_train.tar' ends after 'dog/3.JPEG' $message the archive in it: it was cut short"
}

@test "an empty class is named" {
    pictures png
    rm src/train/dog/*
    config 6 8
    refused "prepare: 'src': class 'dog' has no images in 'train'"
}

@test "a class that one split lacks is named" {
    pictures png
    mv src/test/dog src/test/dogs
    config 6 8
    refused "prepare: 'src': 1 of 3 classes are not in 'train': 'dogs'"
    rm -rf src/test/dogs
    refused "prepare: 'src': 1 of 2 classes are not in 'test': 'dog'"
}

@test "images to test with are needed" {
    pictures png
    rm -rf src/test
    config 6 8
    refused "prepare: 'src' has no images to test with, expected test/CLASS/*.jpg or val/CLASS/*.jpg"
}

@test "another number of classes than the space's is refused" {
    pictures png
    config 6 8 's/classes: 2/classes: 10/'
    refused "prepare: 'src' has 2 classes ('cat' to 'dog'), space.classes is 10"
}

@test "a class with too few images for validation is refused" {
    pictures png
    config 6 8 's/validation_per_class: 1/validation_per_class: 3/'
    refused "prepare: 'src': class 0 ('cat') has 3 images, expected more than the 3 that dataset.validation_per_class takes away"
}

@test "two classes of the same name in a tar are refused" {
    pictures png folder
    tar -cf src -C folder train test
    tar -rf src -C folder train/cat
    config 6 8
    refused "prepare: 'src': 'train/cat/1.png' is in it twice: two files, or two classes, have the same name"
}

@test "classes of the same names in two places are refused, not merged" {
    pictures png src/a
    pictures png src/b
    config 6 8
    refused "prepare: 'src' has images to test with in 'a/test/' and in 'b/test/', expected one of them"
    rm -rf src/b/test
    refused "prepare: 'src' has images to train with in 'a/train/' and in 'b/train/', expected one of them"
    rm -rf src/b
    cp -r src/a/test src/a/val
    refused "prepare: 'src' has images to test with in 'a/test/' and in 'a/val/', expected one of them"
    rm -rf src
    pictures ilsvrc
    config 6 8 's/imagefolder/ilsvrc2012/'
    tar -cf src/work/tars/cat.tar -C src/work/val ILSVRC2012_val_00000001.JPEG
    tar -rf src/ILSVRC2012_img_train.tar -C src/work/tars cat.tar
    refused "prepare: 'src/ILSVRC2012_img_train.tar': 'cat.tar' is in it twice: two classes have the same name"
}

@test "test images that are training images, too, are told" {
    pictures png
    config 6 8
    cp src/train/dog/1.png src/train/dog/9.png
    cp src/test/cat/1.png src/test/cat/9.png
    run made tiny.h5 --quiet
    [ "$output" = "" ]
    cp src/train/dog/1.png src/test/dog/7.png
    cp src/train/cat/2.png src/test/dog/8.png
    run made tiny.h5 --quiet
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == "prepare: warning: 2 test images are training images, too, by their sizes and CRC-32: 'test/dog/"[78]".png' is 'train/"*".png'" ]]
}

@test "two equal class names are refused" {
    pictures cifar10
    sed -i 's/^c$/b/' src/batches.meta.txt
    config 32 32 's/imagefolder/cifar10/; s/classes: 2/classes: 10/'
    refused "prepare: 'batches.meta.txt': two classes have the name 'b', expected different names"
}

@test "files that are no images are passed over and counted" {
    pictures png
    echo x >src/train/cat/notes.txt
    echo x >src/README
    touch src/train/dog/.hidden.png
    config 6 8
    run made tiny.h5 --quiet
    [ "$output" = "prepare: warning: passed over 3 files that are no images in a class's folder, the first is 'README'" ]
}

@test "hidden folders are not looked into" {
    pictures png
    config 6 8
    made straight.h5 --quiet
    mkdir -p src/.git/train/cow src/train/.checkpoints src/test/cat/.thumbnails
    cp src/train/cat/1.png src/.git/train/cow
    cp src/train/cat/1.png src/train/.checkpoints
    cp src/train/cat/1.png src/test/cat/.thumbnails
    made folder.h5 --quiet
    [ "$(digest folder.h5)" = "$(digest straight.h5)" ]
    mv src folder
    tar -cf src -C folder .
    made tar.h5 --quiet
    [ "$(digest tar.h5)" = "$(digest straight.h5)" ]
}

@test "what is no file is refused, whatever it is called" {
    pictures png folder
    mkfifo folder/train/cat/4.png
    tar -cf src -C folder .
    config 6 8
    refused "prepare: 'src': 'train/cat/4.png' is a pipe or a device, expected a file"
    rm src
    mv folder src
    refused "prepare: 'src/train/cat/4.png' is a pipe, a socket or a device, expected a file"
}

@test "names are UTF-8, or refused" {
    pictures png
    config 6 8
    for split in train test; do mv src/$split/cat src/$split/$'caf\303\251'; done
    made folder.h5 --quiet
    mv src folder
    for format in gnu pax; do
        tar --format=$format -cf src -C folder .
        made tar.h5 --quiet
        rm src
        [ "$(digest tar.h5)" = "$(digest folder.h5)" ]
    done
    for split in train test; do mv folder/$split/caf* folder/$split/$'caf\351'; done
    tar --format=gnu -cf src -C folder test/$'caf\351' test train
    refused "prepare: 'src': the name 'test/caf\\\\xE9/' is in another encoding, expected UTF-8"
    rm src
    mv folder src
    refused "prepare: 'src': the name 'test/caf\\\\xE9' is in another encoding, expected UTF-8"
}

@test "the size of a broken file does not decide how all others are kept" {
    pictures png
    config 6 8
    made straight.h5 --quiet
    echo x >src/test/cat/0.png
    made tiny.h5 --quiet --skip-broken
    for array in train/images validation/images test/images; do
        [ "$(values tiny.h5 $array)" = "$(values straight.h5 $array)" ]
    done
}

@test "a class of which only broken images are left is named" {
    pictures jpg
    config 6 8
    echo x >src/val/dog/1.jpg
    refused "*prepare: 'src': class 'dog' has no images in 'test' but broken ones" --skip-broken
    rm -rf src
    pictures jpg
    echo x >src/train/cat/1.jpg
    echo x >src/train/cat/3.jpg
    rm -f tiny.part.h5 tiny.ckpt.h5
    refused "*prepare: 'src': class 0 ('cat') has 1 images that are not broken, expected more than the 1 that dataset.validation_per_class takes away" --skip-broken
}

@test "pictures have one or three channels" {
    pictures png
    for channels in 2 4; do
        config 6 8 "s/8, 3/8, $channels/"
        run "$prepare" --config=tiny.yaml --out=tiny.h5
        echo "$output"
        [ "$status" = 2 ]
        [ "$output" = "tiny.yaml:9:10: space.input: $channels channels, expected 1 or 3: JPEG and PNG files (dataset.format: imagefolder) are read as grey or RGB" ]
    done
}

@test "broken images are all listed, and left out only when asked" {
    pictures jpg
    echo 'no image' >src/train/cat/0.jpg
    head -c 310 src/train/dog/1.jpg >cut && mv cut src/train/dog/0.JPEG
    : >src/val/dog/2.png
    config 6 8
    text="it is neither a JPEG (ff d8 ff) nor a PNG file (89 50 4e 47): it starts with 6e 6f 20 69"
    cut="its JPEG data cannot be decoded: Premature end of JPEG file"
    # (in the order of the source)
    for attempt in first again; do
        refused "prepare: warning: 'train/cat/0.jpg': $text
prepare: warning: 'train/dog/0.JPEG': $cut
prepare: warning: 'val/dog/2.png': it is empty
prepare: 'src': 3 of 11 images are broken (listed above): mend them, or leave them out with --skip-broken"
    done
    run made tiny.h5 --skip-broken
    echo "$output"
    [[ $output == *"prepare: goes on after 8 of 11 images"*"prepare: warning: left out 3 broken images of 11"* ]]
    [ "$(values tiny.h5 sources/skipped)" = ' "train/cat/0.jpg", "train/dog/0.JPEG", "val/dog/2.png" ' ]
    [[ $(values tiny.h5 sources/skipped_because) == *'"it is empty" ' ]]
    [ "$(values tiny.h5 test/file)" = ' "val/cat/1.jpg", "val/dog/1.jpg" ' ]
    [ "$(ls tiny.*)" = "$(printf '%s\n' tiny.h5 tiny.status.yaml tiny.yaml)" ]
}

@test "broken images among pixels leave no gap" {
    pictures png
    made_of() { values "$1" train/images; values "$1" validation/images; values "$1" test/images; }
    config 6 8
    made good.h5 --quiet
    echo x >src/train/cat/1a.png
    refused "prepare: warning: 'train/cat/1a.png': it is neither a JPEG (ff d8 ff) nor a PNG file (89 50 4e 47): it starts with 78 0a
prepare: 'src': 1 of 9 images are broken (listed above): mend them, or leave them out with --skip-broken"
    made tiny.h5 --quiet --skip-broken
    [ "$(made_of tiny.h5)" = "$(made_of good.h5)" ]
}

# The source is a pipe, so that the test says how far it is, and reads it twice: the first
# time is for the names.
begin_from_pipe() { # begin_from_pipe TAR: prepare, which is to read the second time; sets $pid
    rm -f src
    mkfifo src
    "$prepare" --config=tiny.yaml --out=tiny.h5 2>log 3>&- &
    pid=$!
    cat "$1" >src
    for _ in {1..600}; do ! grep -q "in 'test'" log || break; sleep 0.05; done
}
ended_with() { # ended_with CODE
    code=0
    wait $pid || code=$?
    cat log
    [ $code = "$1" ]
}

@test "a stopped import goes on where it was, and makes the same" {
    pictures many folder
    tar --sort=name -cf whole.tar -C folder test train
    config 6 8 '/validation/a\  decode: read'
    cp whole.tar src
    made straight.h5 --quiet
    begin_from_pipe whole.tar
    {
        head -c 100000 whole.tar
        kill -TERM $pid
        tail -c +100001 whole.tar
    } >src 2>/dev/null || true
    ended_with 75
    grep -q 'state: "interrupted"' tiny.status.yaml
    [ ! -e tiny.h5 ] && [ -e tiny.part.h5 ] && [ -e tiny.ckpt.h5 ]
    rm src
    cp whole.tar src
    run made tiny.h5
    echo "$output"
    [[ $output =~ "prepare: goes on after "([0-9]+)" of 1202 images" ]]
    [ "${BASH_REMATCH[1]}" -gt 0 ]
    [ "${BASH_REMATCH[1]}" -lt 1202 ]
    [ "$(digest tiny.h5)" = "$(digest straight.h5)" ]
}

# Whether process $pid has read all that is in the pipe, open as 8, and waits for more.
has_read_all() {
    perl -e 'ioctl(STDOUT, 0x541B, my $n = pack "i", 1) && !unpack "i", $n or exit 1' >&8 &&
        [ "$(cut -d ' ' -f 3 /proc/$pid/stat)" = S ]
}

# The signal comes when all images were read and the pipe is not yet closed.
@test "a signal after the last image is heeded, and no image is read twice" {
    pictures jpg folder
    tar -b 1 --sort=name -cf whole.tar -C folder val train
    config 6 8
    cp whole.tar src
    made straight.h5 --quiet
    begin_from_pipe whole.tar
    exec 8>src
    head -c -1024 whole.tar >&8
    for _ in {1..600}; do ! has_read_all || break; sleep 0.05; done
    kill -TERM $pid
    tail -c 1024 whole.tar >&8
    exec 8>&-
    ended_with 75
    [ ! -e tiny.h5 ]
    rm src
    cp whole.tar src
    run made tiny.h5
    echo "$output"
    [[ $output == *"prepare: goes on after 8 of 8 images"* ]]
    [ "$(digest tiny.h5)" = "$(digest straight.h5)" ]
    [ "$(ls tiny.*)" = "$(printf '%s\n' tiny.h5 tiny.status.yaml tiny.yaml)" ]
}

# Which of HDF5's blocks were on disk when a kill came is chance: here all around the images
# is rubbish.
@test "what a kill leaves while the dataset is written is gone on with" {
    pictures jpg
    echo x >src/train/cat/0.jpg
    config 6 8
    made straight.h5 --quiet --skip-broken
    refused "*1 of 9 images are broken*"
    head -c 500 /dev/urandom | dd of=tiny.part.h5 conv=notrunc status=none
    head -c 99999 /dev/urandom >>tiny.part.h5
    run made tiny.h5 --skip-broken
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"prepare: goes on after 8 of 9 images"* ]]
    [ "$(digest tiny.h5)" = "$(digest straight.h5)" ]
    [ "$(ls tiny.*)" = "$(printf '%s\n' tiny.h5 tiny.status.yaml tiny.yaml)" ]
}

# As on a full disk: no file may be larger than what the images take, and HDF5 before them.
@test "a disk that is full in the end costs no image" {
    pictures many
    config 6 8 '/validation/a\  decode: read'
    made straight.h5 --quiet
    kilobytes=$(find src -name '*.png' -printf '%s\n' | awk '{ n += $1 } END { print int(n / 1024) + 4 }')
    (ulimit -f "$kilobytes"; refused "*prepare: 'tiny.h5': cannot *")
    [ -e tiny.part.h5 ] && [ -e tiny.ckpt.h5 ]
    run made tiny.h5
    echo "$output"
    [[ $output == *"prepare: goes on after 1202 of 1202 images"* ]]
    [ "$(digest tiny.h5)" = "$(digest straight.h5)" ]
}

@test "where the first checkpoint finds no room nothing was begun" {
    pictures jpg
    config 6 8
    (ulimit -f 6; refused "prepare: 'tiny.ckpt.h5': cannot *")
    [ "$(ls tiny.*)" = "$(printf '%s\n' tiny.status.yaml tiny.yaml)" ]
}

@test "images that were mended are read again, also when they are as large as before" {
    pictures jpg
    config 6 8
    made straight.h5 --quiet
    cp src/train/cat/1.jpg good.jpg
    # One that is broken, and a good one with another density of its pixels.
    tr '\0' '\1' <good.jpg >src/train/cat/1.jpg
    printf '\2' | dd of=src/train/dog/1.jpg bs=1 seek=13 conv=notrunc status=none
    refused "*prepare: 'src': 1 of 8 images are broken*"
    cp good.jpg src/train/cat/1.jpg
    cp good.jpg src/train/dog/1.jpg
    run made tiny.h5
    echo "$output"
    [[ $output == *"prepare: goes on after 6 of 8 images"* ]]
    [ "$(digest tiny.h5)" = "$(digest straight.h5)" ]
}

@test "two imports at once do not meet in one file" {
    pictures jpg folder
    tar --sort=name -cf whole.tar -C folder val train
    config 6 8
    begin_from_pipe whole.tar
    exec 8>src # once it reads again, it has its file
    sed -i 's/source: src/source: folder/' tiny.yaml
    run made tiny.h5
    cat whole.tar >&8
    exec 8>&-
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *"prepare: 'tiny.part.h5' is being written by another process" ]]
    ended_with 0
    # When several begin, one makes it, and the others say why they do not.
    rm tiny.h5
    for n in 1 2 3 4; do
        "$prepare" --config=tiny.yaml --out=tiny.h5 --threads=1 2>"log.$n" 3>&- &
    done
    wait
    cat log.?
    grep -q "prepare: wrote 'tiny.h5'" log.?
    [ "$(grep -l -e "prepare: wrote 'tiny.h5'" -e "is being written by another" log.? | wc -l)" = 4 ]
    made again.h5 --quiet
    [ "$(digest tiny.h5)" = "$(digest again.h5)" ]
}

@test "a source that changed is not gone on with" {
    pictures jpg
    echo x >src/train/cat/0.jpg
    config 6 8
    run made tiny.h5 --quiet
    [ "$status" != 0 ]
    cp src/train/cat/1.jpg src/train/cat/4.jpg
    refused "prepare: 'src' is not what it was when 'tiny.part.h5' was begun
prepare: remove 'tiny.ckpt.h5' to start again, or restore what was there"
}

@test "ImageNet's archives are read as they are downloaded" {
    pictures ilsvrc
    config 6 8 's/imagefolder/ilsvrc2012/'
    made tiny.h5 --quiet
    [ "$(values tiny.h5 class_names)" = ' "cat", "dog" ' ]
    [ "$(values tiny.h5 test/labels)" = " 1, 0, 1 " ] # ground truth 2 1 2
    [ "$(values tiny.h5 train/labels)" = " 0, 0, 1, 1 " ]
    [[ $(values tiny.h5 train/file) == ' "train/cat/'?'.JPEG", '* ]]
    [ "$(values tiny.h5 sources/file)" = ' "src" ' ]
}

@test "a list of validation labels serves in the devkit's place, and must fit" {
    pictures ilsvrc
    rm src/*devkit*
    config 6 8 's/imagefolder/ilsvrc2012/'
    refused "prepare: dataset.source: there is neither 'src/ILSVRC2012_devkit_t12.tar.gz' nor 'src/validation_labels.txt'"
    printf 'dog\ncat\n' >src/validation_labels.txt
    refused "prepare: 'src/ILSVRC2012_img_val.tar': there is no class for 'val/ILSVRC2012_val_00000003.JPEG' in 'src/validation_labels.txt', which has 2"
    printf 'dog\ncat\ndog\ncat\n' >src/validation_labels.txt
    refused "prepare: 'src/validation_labels.txt' has 4 labels, 'src/ILSVRC2012_img_val.tar' has 3 images"
    printf 'dog\ncat\ncow\n' >src/validation_labels.txt
    refused "prepare: 'src': 1 of 3 classes are not in 'train': 'cow'"
    printf 'dog\ncat\ndog\n' >src/validation_labels.txt
    made tiny.h5 --quiet
    [ "$(values tiny.h5 test/labels)" = " 1, 0, 1 " ]
}

@test "CIFAR-10's binary files are read from a folder or the archive" {
    pictures cifar10 cifar-10-batches-bin
    tar -czf cifar-10-binary.tar.gz cifar-10-batches-bin
    config 32 32 's/imagefolder/cifar10/; s/classes: 2/classes: 10/; s/src/cifar-10-batches-bin/'
    made folder.h5 --quiet
    config 32 32 's/imagefolder/cifar10/; s/classes: 2/classes: 10/; s/src/cifar-10-binary.tar.gz/'
    made tar.h5 --quiet
    [ "$(digest folder.h5)" = "$(digest tar.h5)" ]
    # image 100 + i of the test file: channels 100 + i, 101 + i, 102 + i
    [ "$(values folder.h5 test/labels)" = " 0, 1, 2, 3, 4, 5 " ]
    [[ $(values folder.h5 test/images) == *"100, 101, 102, 100, 101, 102, "*"105, 106, 107 " ]]
    [[ $(values folder.h5 class_names) == ' "a", "b", '* ]]
    h5dump -H -d train/images folder.h5 | grep -q '( 20, 32, 32, 3 )'
}

@test "CIFAR-100 has its fine labels" {
    pictures cifar100
    config 32 32 's/imagefolder/cifar100/; s/classes: 2/classes: 100/'
    made tiny.h5 --quiet
    [[ $(values tiny.h5 test/labels) == " 0, 1, 2, "*" 99 " ]]
    [[ $(values tiny.h5 class_names) == ' "class 0", "class 1", '* ]]
}

@test "CIFAR files that are missing, cut short or mislabelled are refused" {
    pictures cifar10
    config 32 32 's/imagefolder/cifar10/; s/classes: 2/classes: 10/'
    truncate -s -1 src/data_batch_2.bin
    refused "prepare: 'data_batch_2.bin' has 18437 bytes, expected a multiple of 3073 (labels and pixels of an image)"
    truncate -s -3072 src/data_batch_2.bin # between two images
    refused "prepare: 'data_batch_2.bin' has 5 images and 'test_batch.bin' 6, expected as many: one of them was cut short"
    rm src/data_batch_2.bin
    refused "prepare: 'src' has no 'data_batch_2.bin', expected the binary version of cifar10"
    pictures cifar10
    printf '\12' | dd of=src/test_batch.bin bs=1 conv=notrunc status=none
    refused "prepare: 'test_batch.bin': label 0 is 10, expected 0 to 9"
    pictures cifar100
    truncate -s -3074 src/train.bin
    config 32 32 's/imagefolder/cifar100/; s/classes: 2/classes: 100/'
    refused "prepare: 'train.bin' has 499 images and 'test.bin' 100, expected a fifth of them: one of them was cut short"
    config 6 8 's/imagefolder/cifar10/; s/classes: 2/classes: 10/'
    refused "prepare: 'cifar10': its images are 32 x 32 x 3, space.input is 6 x 8 x 3"
}

@test "a preview is a picture of the dataset" {
    pictures jpg
    config 6 8 '/stage/d; /validation/a\  augment: {crop_area: 0.1, flip: true}
        $a\  stages: [{channels: 8, repeat: 8}]\n  choices: [k3e3, id]
        $a\greedy: {surrogate_images: 2, pool_size: 5}
        $a\search: {population: 2, validation_images: 2}'
    made tiny.h5 --quiet
    run "$prepare" --config=tiny.yaml --data=tiny.h5 --preview=sheet.png
    [ "$output" = "prepare: wrote 'sheet.png'" ]
    # 4 training images: a row of them, and 4 rows; 8 pixels are drawn as 64, 6 as 48.
    [ "$(head -c 24 sheet.png | tail -c 8 | od -An -tu1 | tr -s ' ')" = " 0 0 2 36 0 0 1 16" ]
    [ "$(ls tiny.*)" = "$(printf '%s\n' tiny.h5 tiny.status.yaml tiny.yaml)" ]
}

@test "a preview needs a dataset and a whole experiment" {
    config 6 8
    run "$prepare" --config=tiny.yaml --preview=sheet.png
    [ "$status" = 2 ]
    [ "$output" = "prepare: --data is missing, expected --preview and --data together" ]
    run "$prepare" --config=tiny.yaml --preview=sheet.png --data=tiny.h5
    [ "$status" = 2 ]
    [ "$output" = "prepare: 'tiny.yaml' has the settings of stage 'prepare' alone, expected an experiment's file to preview" ]
    run "$prepare" --config=tiny.yaml
    [ "$status" = 2 ]
    [ "$output" = "prepare: --out is missing, expected the dataset to make" ]
}
