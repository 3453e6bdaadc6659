# images.pl FOLDER [CLASSES] - writes a small data set in the four files that MNIST came
# in: 8 x 8 pixels, 4 classes, each a bright quadrant under noise that is the same on every
# machine; with 8 classes, the last four are half as bright.
use strict;
use warnings;

my ($folder, $classes) = @ARGV;
$classes //= 4;
my $state = 1;

sub noise    # 0 .. $below - 1
{
    my ($below) = @_;
    $state = ($state * 1103515245 + 12345) % 2147483648;
    return ($state >> 8) % $below;
}

sub image
{
    my ($class) = @_;
    my ($top, $left) = (4 * int($class % 4 / 2), 4 * ($class % 2));
    my $bright = $class < 4 ? 90 : 45;
    my @pixel = map { noise(128) } 1 .. 64;
    for my $y (0 .. 3) {
        $pixel[8 * ($top + $y) + $left + $_] += $bright for 0 .. 3;
    }
    return pack('C*', @pixel);
}

sub write_file
{
    my ($name, $bytes) = @_;
    open(my $file, '>:raw', "$folder/$name") or die "cannot write '$folder/$name': $!\n";
    print $file $bytes;
    close($file) or die "cannot write '$folder/$name': $!\n";
}

# The head of an IDX file: type 8 (unsigned bytes), the number of dimensions, their sizes.
for (['train', 640], ['t10k', 80]) {
    my ($part, $n) = @$_;
    my @class = map { noise($classes) } 1 .. $n;
    write_file("$part-images-idx3-ubyte",
        pack('N4', 0x0803, $n, 8, 8) . join('', map { image($_) } @class));
    write_file("$part-labels-idx1-ubyte", pack('N2', 0x0801, $n) . pack('C*', @class));
}
