/*
 * ilsvrc.h - the 2012 ImageNet challenge as it is downloaded: where in the folder
 * dataset.source its images are, and of which class.
 *
 *   ILSVRC2012_img_train.tar       a tar of a tar for each class, n01440764.tar, ...
 *   ILSVRC2012_img_val.tar         50,000 files, ILSVRC2012_val_00000001.JPEG, ...
 *   ILSVRC2012_devkit_t12.tar.gz   whose data/ has the two files that say what these
 *                                  are: ILSVRC2012_validation_ground_truth.txt (a
 *                                  number for each) and meta.mat (the numbers' names)
 *
 * In the devkit's place there may be validation_labels.txt: a class name in each line,
 * n01751748, for each validation image.
 */
#ifndef IO_ILSVRC_H
#define IO_ILSVRC_H

/* The class name of each validation image, [n]; one free() for all. Dies when the files
 * do not say it. `from` becomes the file that says so; the caller frees. */
char **ilsvrc_validation_classes(const char *folder, int *n, char **from);

#endif
