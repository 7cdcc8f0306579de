// Package mirror keeps a folder equal to a prefix of a bucket, for repositories of models: the first part
// of a key after the prefix is the name of a model, and the files of a model change together.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"imageflow.dev/internal/objects"
)

// Config configures a Mirror.
type Config struct {
	Store          *objects.Store
	Bucket, Prefix string
	// Dir is the folder. It belongs to one Mirror, which removes everything else from it.
	Dir string
	// MaxBytes limits the files of all models. While models are replaced, both versions are there.
	MaxBytes int64
	// Interval is the time between two listings of the bucket; 0 means that only Open lists it.
	Interval time.Duration
}

// Mirror is a folder with a link for each model. A link points to a folder below "versions" that is
// complete and does not change; a new version is another folder, and the link is replaced atomically.
type Mirror struct {
	Config
	lock    *os.File
	stop    context.CancelFunc
	polling sync.WaitGroup
	// syncing is held by Sync and Fetch.
	syncing sync.Mutex
	// seen are the versions in the last listing by name of the model.
	seen map[string]string
	// refused is the last reason of each model, or key, that is not in the folder.
	refused map[string]string
}

// versionsDir is skipped by readers of repositories, because of the dot.
const versionsDir = ".versions"

// Open mirrors the bucket once, and then at each interval until Close. If the store does not answer, it
// waits up to the given time; then it starts with the models that an earlier process left, or fails if
// there are none.
func Open(ctx context.Context, c Config, wait time.Duration) (*Mirror, error) {
	if err := os.MkdirAll(filepath.Join(c.Dir, versionsDir), 0o755); err != nil {
		return nil, err
	}
	lock, err := os.Create(filepath.Join(c.Dir, ".lock"))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("%s is in use by another process", c.Dir)
	}
	polling, stop := context.WithCancel(context.WithoutCancel(ctx))
	m := &Mirror{Config: c, lock: lock, stop: stop, seen: map[string]string{}, refused: map[string]string{}}
	if err := m.first(ctx, wait); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if c.Interval > 0 {
		m.polling.Go(func() { m.poll(polling) })
	}
	return m, nil
}

// Close stops the mirror. The folder stays.
func (m *Mirror) Close() error {
	m.stop()
	m.polling.Wait()
	return m.lock.Close()
}

// retryInterval is the pause after a failed listing at the start.
const retryInterval = time.Second

// first fills the folder.
func (m *Mirror) first(ctx context.Context, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	for {
		err := m.sync(ctx, func(string, string) bool { return true })
		if err == nil || ctx.Err() != nil || !errors.Is(err, objects.ErrUnavailable) {
			return err
		}
		if time.Now().After(deadline) {
			if left, _ := m.links(); len(left) == 0 {
				return err
			}
			slog.WarnContext(ctx, "model repository unavailable: starting with the models of an earlier process", "error", err)
			return nil
		}
		slog.WarnContext(ctx, "model repository unavailable: waiting", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retryInterval):
		}
	}
}

func (m *Mirror) poll(ctx context.Context) {
	ticker := time.NewTicker(m.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := m.Sync(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "model repository not readable: keeping the models", "error", err)
		}
	}
}

// Sync brings the folder up to date with the bucket. It takes a model only if its files are the same as
// at the previous Sync, because an upload of several files may be in progress. A model that is gone is
// removed.
func (m *Mirror) Sync(ctx context.Context) error {
	m.syncing.Lock()
	defer m.syncing.Unlock()
	return m.sync(ctx, func(name, version string) bool { return m.seen[name] == version })
}

// Fetch brings one model up to date with the bucket at once: its upload must be complete. The error is the reason
// why the model, if it is in the bucket, is not in the folder as it is there.
func (m *Mirror) Fetch(ctx context.Context, name string) error {
	m.syncing.Lock()
	defer m.syncing.Unlock()
	before := m.seen
	err := m.sync(ctx, func(model, _ string) bool { return model == name })
	_, isThere := m.seen[name]
	m.seen = before // which is about the last Sync
	if reason := m.refused[name]; err == nil && isThere && reason != "" {
		return errors.New(reason)
	}
	return err
}

// sync is Sync; stable reports whether a version can be taken now.
func (m *Mirror) sync(ctx context.Context, stable func(name, version string) bool) error {
	models, err := m.list(ctx)
	if err != nil {
		return err
	}
	links, err := m.links()
	if err != nil {
		return err
	}
	keep := map[string]bool{} // also the versions before, whose files readers may still open
	for _, version := range links {
		keep[version] = true
	}
	seen := map[string]string{}
	left := m.MaxBytes
	var unavailable error
	for _, model := range models {
		version := model.version()
		seen[model.name], keep[version] = version, true
		switch err := m.take(ctx, model, links[model.name], left, stable(model.name, version)); {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, objects.ErrUnavailable):
			unavailable = fmt.Errorf("model %s: %w", model.name, err)
		case err != nil:
			m.refuse(ctx, model.name, err)
		}
		if model.bytes() <= left {
			left -= model.bytes()
		}
	}
	m.seen = seen
	for name := range links {
		if seen[name] == "" {
			slog.InfoContext(ctx, "model removed from the bucket", "model", name)
			if err := os.Remove(filepath.Join(m.Dir, name)); err != nil {
				return err
			}
		}
	}
	return errors.Join(unavailable, m.clean(keep))
}

// take makes the link of a model point to its version, if that has at most left bytes.
func (m *Mirror) take(ctx context.Context, model *model, before string, left int64, stable bool) error {
	version := model.version()
	switch {
	case before == version && m.complete(model):
		delete(m.refused, model.name)
		return nil
	case model.bytes() > left:
		return fmt.Errorf("it has %d bytes, but MODEL_CACHE_BYTES leaves %d", model.bytes(), left)
	case !stable:
		return nil
	}
	if !m.complete(model) {
		if err := m.download(ctx, model); err != nil {
			return err
		}
	}
	link := filepath.Join(m.Dir, model.name)
	next := filepath.Join(m.Dir, versionsDir, version+".link")
	_ = os.Remove(next)
	if err := os.Symlink(filepath.Join(versionsDir, version), next); err != nil {
		return err
	}
	if err := os.Rename(next, link); err != nil {
		return err
	}
	delete(m.refused, model.name)
	slog.InfoContext(ctx, "model fetched from the bucket", "model", model.name, "bytes", model.bytes())
	return nil
}

// refuse logs, once, why a model or a key is not in the folder.
func (m *Mirror) refuse(ctx context.Context, name string, err error) {
	if m.refused[name] != err.Error() {
		m.refused[name] = err.Error()
		slog.ErrorContext(ctx, "not fetched from the bucket", "name", name, "reason", err.Error())
	}
}

// links returns the versions in use by name of the model.
func (m *Mirror) links() (map[string]string, error) {
	entries, err := os.ReadDir(m.Dir)
	links := map[string]string{}
	for _, entry := range entries {
		if entry.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(filepath.Join(m.Dir, entry.Name()))
			if err != nil {
				return nil, err
			}
			links[entry.Name()] = filepath.Base(to)
		}
	}
	return links, err
}

// clean removes the versions that are not kept.
func (m *Mirror) clean(keep map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(m.Dir, versionsDir))
	for _, entry := range entries {
		if !keep[entry.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(m.Dir, versionsDir, entry.Name())))
		}
	}
	return err
}
