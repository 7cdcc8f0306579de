package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// signingKeys returns the keys that sign events, and generates one at the first
// start. The file is in the data folder because the broker's queue there keeps
// signed events across restarts. Only its owner can read it. A second key can be
// added to the file by hand, as in EVENT_SIGNING_KEYS.
func signingKeys(data string) ([]string, error) {
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(data, "event-signing-key")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = makeSigningKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("event signing key: %w", err)
	}
	return strings.Split(string(text), ","), nil
}

// makeSigningKey writes a new key atomically.
func makeSigningKey(path string) ([]byte, error) {
	key := []byte(rand.Text() + rand.Text())                               // 260 bits
	file, err := os.CreateTemp(filepath.Dir(path), ".event-signing-key-*") // with mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(key)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, err
	}
	return key, os.Rename(file.Name(), path)
}
