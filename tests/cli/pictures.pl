# pictures.pl - small image datasets for tests, the same on every machine.
#
#   perl pictures.pl png FOLDER        2 classes: 3 images each in train/, 1 in test/; 6 x 8
#   perl pictures.pl jpg FOLDER        the same, of JPEG files 30 x 40, in train/ and val/
#   perl pictures.pl many FOLDER       the same as png, with 600 images each in train/
#   perl pictures.pl ilsvrc FOLDER     the three archives of ILSVRC2012, with the jpg images
#   perl pictures.pl cifar10 FOLDER    CIFAR-10's binary files, with 6 images each
#   perl pictures.pl cifar100 FOLDER   CIFAR-100's, with 500 and 100 images
use strict;
use warnings;
use Compress::Zlib;
use File::Path qw(make_path);
use MIME::Base64;

my $jpeg = decode_base64(<<'BASE64');
/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtq
eJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSk
pKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAARCAAeACgDASIAAhEBAxEB/8QA
GAAAAwEBAAAAAAAAAAAAAAAAAAIDBAX/xAAVEAEBAAAAAAAAAAAAAAAAAAACAP/EABUBAQEAAAAAAAAA
AAAAAAAAAAAC/8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAwDAQACEQMRAD8A45FUiciqRUkpFUiciqRA
hEWgiIMRFUiYmsTAhFYiYmqTApEWgmIP/9k=
BASE64

sub write_file
{
    my ($path, $bytes) = @_;
    open(my $file, '>:raw', $path) or die "cannot write '$path': $!\n";
    print $file $bytes;
    close($file) or die "cannot write '$path': $!\n";
}

sub chunk
{
    my ($type, $data) = @_;
    return pack('N', length $data) . $type . $data . pack('N', crc32($type . $data));
}

# 6 rows of 8 pixels, which count up from $seed.
sub png
{
    my ($seed) = @_;
    my $rows = join '', map {
        my $y = $_;
        "\0" . pack 'C*', map { ($seed + 24 * $y + $_) % 256 } 0 .. 23
    } 0 .. 5;
    return "\x89PNG\r\n\x1a\n" . chunk('IHDR', pack('NNCCCCC', 8, 6, 8, 2, 0, 0, 0))
        . chunk('IDAT', compress($rows)) . chunk('IEND', '');
}

sub folders
{
    my ($folder, $ending, $test, $train_images) = @_;
    my $seed = 0;
    for my $class ('cat', 'dog') {
        for ([ 'train', $train_images ], [ $test, 1 ]) {
            my ($split, $n) = @$_;
            make_path("$folder/$split/$class");
            write_file("$folder/$split/$class/$_.$ending",
                $ending eq 'png' ? png(7 * ++$seed) : $jpeg)
                for 1 .. $n;
        }
    }
}

# An element of a MAT-file.
sub element
{
    my ($type, $data) = @_;
    return pack('VV', $type, length $data) . $data . "\0" x (-length($data) % 8);
}

sub array
{
    my ($class, $rows, $columns, $name, $data) = @_;
    return element(14, element(6, pack 'VV', $class, 0) . element(5, pack 'VV', $rows, $columns)
            . element(1, $name) . $data);
}

# The structs (1, cat) and (2, dog), and one that is no class of the challenge.
sub meta
{
    my $structs = join '', map {
        my ($id, $name) = @$_;
        array(6, 1, 1, '', element(2, pack 'C', $id))
            . array(4, 1, length $name, '', element(4, pack 'v*', unpack 'C*', $name))
    } [ 2, 'dog' ], [ 1, 'cat' ], [ 3, 'animal' ];
    my $synsets = array(2, 3, 1, 'synsets',
        pack('vvV', 5, 4, 14) . element(1, pack 'a14a14', 'ILSVRC2012_ID', 'WNID') . $structs);
    my $deflated = compress($synsets);
    return pack('a116a8vA2', 'MATLAB 5.0 MAT-file', '', 0x0100, 'IM')
        . pack('VV', 15, length $deflated) . $deflated;
}

sub run
{
    system(@_) == 0 or die "failed: @_\n";
}

sub ilsvrc
{
    my ($folder) = @_;
    my $work = "$folder/work";
    folders($work, 'JPEG', 'test', 3);
    make_path("$work/tars", "$work/val", "$work/ILSVRC2012_devkit_t12/data");
    run('tar', '-cf', "$work/tars/$_.tar", '-C', "$work/train/$_", map { "$_.JPEG" } 1 .. 3)
        for 'cat', 'dog';
    run('tar', '-cf', "$folder/ILSVRC2012_img_train.tar", '-C', "$work/tars", 'cat.tar', 'dog.tar');
    write_file("$work/val/ILSVRC2012_val_0000000$_.JPEG", $jpeg) for 1 .. 3;
    run('tar', '-cf', "$folder/ILSVRC2012_img_val.tar", '-C', "$work/val",
        map { "ILSVRC2012_val_0000000$_.JPEG" } 1 .. 3);
    my $data = "$work/ILSVRC2012_devkit_t12/data";
    write_file("$data/ILSVRC2012_validation_ground_truth.txt", "2\n1\n2\n");
    write_file("$data/meta.mat", meta());
    run('tar', '-czf', "$folder/ILSVRC2012_devkit_t12.tar.gz", '-C', $work,
        'ILSVRC2012_devkit_t12');
}

# Records of labels and 3 planes; the planes of image i are i, i + 1, i + 2.
sub records
{
    my ($first, $n, $label) = @_;
    return join '', map {
        my $i = $_;
        $label->($i) . join '', map { chr(($i + $_) % 256) x 1024 } 0 .. 2
    } $first .. $first + $n - 1;
}

sub cifar10
{
    my ($folder) = @_;
    my $label = sub { chr($_[0] % 10) };
    make_path($folder);
    write_file("$folder/data_batch_$_.bin", records(6 * ($_ - 1), 6, $label)) for 1 .. 5;
    write_file("$folder/test_batch.bin", records(100, 6, $label));
    write_file("$folder/batches.meta.txt", join("\n", 'a' .. 'j') . "\n\n");
}

sub cifar100
{
    my ($folder) = @_;
    my $label = sub { chr(7) . chr($_[0] % 100) };
    make_path($folder);
    write_file("$folder/train.bin", records(0, 500, $label));
    write_file("$folder/test.bin", records(0, 100, $label));
    write_file("$folder/fine_label_names.txt", join('', map { "class $_\n" } 0 .. 99));
}

my ($kind, $folder) = @ARGV;
if ($kind eq 'png') { folders($folder, 'png', 'test', 3) }
elsif ($kind eq 'jpg') { folders($folder, 'jpg', 'val', 3) }
elsif ($kind eq 'many') { folders($folder, 'png', 'test', 600) }
elsif ($kind eq 'ilsvrc') { ilsvrc($folder) }
elsif ($kind eq 'cifar10') { cifar10($folder) }
elsif ($kind eq 'cifar100') { cifar100($folder) }
else { die "'$kind' is no kind of pictures\n" }
