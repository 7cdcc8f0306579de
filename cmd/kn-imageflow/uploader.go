package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
	"imageflow.dev/cmd/kn-imageflow/internal/text"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/uploads"
)

// uploadsAtOnce is the number of files that are uploaded at a time. Each is in memory.
const uploadsAtOnce = 4

// uploader puts files and says what becomes of each.
type uploader struct {
	account *cluster.Account
	store   *objects.Store
	prefix  string
	// follower follows what is uploaded; nil if nothing does.
	follower *follower
	of       int // files

	mu              sync.Mutex // of out and of the numbers
	out             io.Writer
	put             int
	refused, failed int
}

// say prints a line, whatever characters the names and reasons in it have.
func (u *uploader) say(format string, args ...any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	fmt.Fprintln(u.out, text.Escape(fmt.Sprintf(format, args...)))
}

// putAll puts files, some at a time. When the store does not answer or denies access, it puts no more, and names the rest.
func (u *uploader) putAll(ctx context.Context, files []file) {
	asked := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan file)
	var all sync.WaitGroup
	for range uploadsAtOnce {
		all.Go(func() {
			for f := range next {
				err := context.Cause(ctx)
				if err == nil {
					err = u.putOne(ctx, f)
				}
				if err == nil {
					continue
				}
				u.mu.Lock()
				u.failed++
				u.mu.Unlock()
				u.say("not uploaded %s: %v", f.path, u.explained(asked, err))
				if errors.Is(err, objects.ErrUnavailable) {
					stop(errors.New("the store has refused another file"))
				}
			}
		})
	}
	for _, f := range files {
		next <- f
	}
	close(next)
	all.Wait()
}

// explained returns errInterrupted if the user has ended the command, and says which account it is that a store denies access to.
func (u *uploader) explained(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case errors.Is(err, objects.ErrDenied):
		a := u.account
		return fmt.Errorf("access denied with access key %q and the secret key in %s: %w", a.AccessKey, a.SecretFrom, err)
	}
	return err
}

// putOne puts a file.
func (u *uploader) putOne(ctx context.Context, f file) error {
	data, err := os.ReadFile(f.path)
	if err != nil {
		return reasonOf(err)
	}
	key := u.prefix + uploads.OwnName(f.path)
	if u.follower != nil { // its events may be faster than the answer
		u.follower.await(execution.ID(key))
	}
	if _, err := u.store.Put(ctx, u.account.Bucket, key, f.contentType, data, nil); err != nil {
		if u.follower != nil {
			u.follower.forget(execution.ID(key))
		}
		return err
	}
	u.mu.Lock()
	u.put++
	n := u.put
	u.mu.Unlock()
	u.say("uploaded %d of %d: %s -> %s/%s", n, u.of, f.path, u.account.Bucket, key)
	return nil
}

// summary returns an error if a file was not uploaded.
func (u *uploader) summary(ctx context.Context) error {
	if u.refused+u.failed == 0 {
		return nil
	}
	err := fmt.Errorf("of %s, %d uploaded, %d refused (see --force) and %d not uploaded",
		text.Count(u.of+u.refused, "file"), u.put, u.refused, u.failed)
	if ctx.Err() != nil && u.failed > 0 {
		return fmt.Errorf("%w: %w", errInterrupted, err)
	}
	return err
}
