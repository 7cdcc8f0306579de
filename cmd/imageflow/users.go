package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"imageflow.dev/internal/storeadmin"
)

// userFolders say which users setup makes in the store.
type userFolders struct{ users, policies string }

// make makes the user and the policy of each role that has both. It may run again
// at any time, and gives users the secret keys that are there now.
func (u userFolders) make(ctx context.Context, out io.Writer, admin *storeadmin.Admin) error {
	if u.users == "" {
		return nil
	}
	policies, err := filepath.Glob(filepath.Join(u.policies, "*.json"))
	if err != nil {
		return err
	}
	for _, file := range policies {
		role := strings.TrimSuffix(filepath.Base(file), ".json")
		err := u.makeOne(ctx, admin, role, file)
		if errors.Is(err, fs.ErrNotExist) { // a policy alone
			continue
		}
		if err != nil {
			return fmt.Errorf("the user of %s: %w", role, err)
		}
		fmt.Fprintf(out, "made the user of %s\n", role)
	}
	return nil
}

func (u userFolders) makeOne(ctx context.Context, admin *storeadmin.Admin, role, file string) error {
	read := func(name string) (string, error) {
		text, err := os.ReadFile(filepath.Join(u.users, role, name))
		return strings.TrimSpace(string(text)), err
	}
	accessKey, err := read("access-key")
	if err != nil {
		return err
	}
	secretKey, err := read("secret-key")
	if err != nil {
		return err
	}
	policy, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	name := "imageflow-" + role
	if err := admin.SetPolicy(ctx, name, policy); err != nil {
		return err
	}
	return admin.SetUser(ctx, accessKey, secretKey, name)
}
