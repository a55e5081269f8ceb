package main

import "syscall"

// mountSmall mounts a disk of 256 KiB.
func mountSmall(path string) error { return syscall.Mount("tmpfs", path, "tmpfs", 0, "size=256k") }

func unmount(path string) error { return syscall.Unmount(path, 0) }
