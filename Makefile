# The whole build and pipeline is in pipeline.mk; `make` alone prints the help.
include pipeline.mk
