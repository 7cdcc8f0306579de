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

// userFolders name the users that setup creates in the store.
type userFolders struct{ users, policies string }

// create creates the user and the policy of each role that has both. It can run again
// at any time and sets the current secret keys.
func (u userFolders) create(ctx context.Context, out io.Writer, admin *storeadmin.Admin) error {
	if u.users == "" {
		return nil
	}
	policies, err := filepath.Glob(filepath.Join(u.policies, "*.json"))
	if err != nil {
		return err
	}
	for _, file := range policies {
		role := strings.TrimSuffix(filepath.Base(file), ".json")
		err := u.createOne(ctx, admin, role, file)
		if errors.Is(err, fs.ErrNotExist) { // no user for this policy
			continue
		}
		if err != nil {
			return fmt.Errorf("user of %s: %w", role, err)
		}
		fmt.Fprintf(out, "created the user of %s\n", role)
	}
	return nil
}

func (u userFolders) createOne(ctx context.Context, admin *storeadmin.Admin, role, file string) error {
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
	return admin.SetUser(ctx, accessKey, secretKey, "imageflow-"+role, policy)
}
