//go:build !unix

package journal

import (
	"errors"
	"os"
)

// tryLock takes the lock of a slot, which ends with the process at the latest. It returns nil when another process has it:
// here a file that is open cannot be removed.
func tryLock(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilerr,nilnil // see above
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}
