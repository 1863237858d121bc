#!/bin/sh
# docker/collect.sh ROOT OUT: lays out what the images hold of a built tree: OUT/coordinator and OUT/worker, to be copied
# onto /. Files keep their places, because the trainer looks for LibTorch where it was linked.
set -eu
root=$1 out=$2

for image in coordinator worker; do
  install -D -m 755 "$root/bin/ranktide" "$out/$image$root/bin/ranktide"
  mkdir -p "$out/$image/usr/share/bash-completion/completions"
  "$root/bin/ranktide" completion bash >"$out/$image/usr/share/bash-completion/completions/ranktide"
done

install -D -m 755 "$root/bin/ranktide-trainer" "$out/worker$root/bin/ranktide-trainer"
# Of LibTorch the image gets the libraries that are linked, directly or by one another, and nothing of Python.
ldd "$root/bin/ranktide-trainer" | awk '$2 == "=>" {print $3}' | while read -r library; do
  case $library in
    /lib/* | /usr/lib/* | /lib64/*) ;;
    *) install -D -m 644 "$library" "$out/worker$library" ;;
  esac
done
