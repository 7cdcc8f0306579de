package inference

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	kserve "imageflow.dev/proto/inference"
)

// ErrNoVersion is in the chain of an error about a version of a model that is not available.
var ErrNoVersion = errors.New("version not available")

// available returns those of the versions of a model, sorted by number, that its policy makes
// available: the newest one by default, as Triton defines it.
func available(versions []string, policy *kserve.ModelVersionPolicy) ([]string, error) {
	switch choice := policy.GetPolicyChoice().(type) {
	case *kserve.ModelVersionPolicy_All_:
		return versions, nil
	case *kserve.ModelVersionPolicy_Specific_:
		listed := choice.Specific.GetVersions()
		isListed := func(version string) bool {
			n, _ := strconv.ParseInt(version, 10, 64)
			return slices.Contains(listed, n)
		}
		chosen := slices.DeleteFunc(slices.Clone(versions), func(v string) bool { return !isListed(v) })
		if len(chosen) == 0 {
			return nil, fmt.Errorf("%s: version_policy.specific.versions lists %v, but the folder has %s",
				configFile, listed, strings.Join(versions, ", "))
		}
		return chosen, nil
	default:
		n := int64(1)
		if latest := policy.GetLatest(); latest != nil {
			n = int64(latest.GetNumVersions())
		}
		if n < 1 {
			return nil, fmt.Errorf("%s: version_policy.latest.num_versions is %d but must be at least 1", configFile, n)
		}
		return versions[max(0, int64(len(versions))-n):], nil
	}
}

// requestedIdle is the time without requests after which a requested version can make room for another one.
const requestedIdle = time.Minute

// versionKey is a version of a model.
type versionKey struct{ name, version string }

// requestedVersion is an available version other than the one in use. The first request for it loads it.
type requestedVersion struct {
	// fingerprint is the fingerprint of the files.
	fingerprint string
	// loaded is closed when session or refusal is set.
	loaded  chan struct{}
	session session
	refusal string
	used    time.Time
}

// isLoaded reports whether the version is no longer being loaded.
func (v *requestedVersion) isLoaded() bool {
	select {
	case <-v.loaded:
		return true
	default:
		return false
	}
}

// requested returns an available version of a model. It loads the version if it is not in memory,
// and waits for that until ctx ends.
func (f *Folder) requested(ctx context.Context, m *folderModel, version string) (Model, error) {
	if m.session != nil && m.session.Info().Version == version {
		return m.session, nil
	}
	if !slices.Contains(m.available, version) {
		return nil, m.noVersion(version)
	}
	v, err := f.reserve(ctx, versionKey{m.name, version})
	if err != nil {
		return nil, err
	}
	select {
	case <-v.loaded:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if v.session == nil {
		return nil, &RefusedError{Name: m.name, Reason: "version " + version + ": " + v.refusal}
	}
	return v.session, nil
}

// noVersion says why a version is not available.
func (m *folderModel) noVersion(version string) error {
	if slices.Contains(m.versions, version) {
		return fmt.Errorf("%w: %s exists, but the version_policy in %s makes only %s available",
			ErrNoVersion, version, configFile, strings.Join(m.available, ", "))
	}
	return fmt.Errorf("%w: %.64s does not exist; %s can be named", ErrNoVersion, version, strings.Join(m.available, ", "))
}

// reserve returns the requested version of this key, and starts to load it if it is new.
func (f *Folder) reserve(ctx context.Context, key versionKey) (*requestedVersion, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if m := f.models[key.name]; f.options.Explicit && (m == nil || m.session == nil) {
		return nil, &RefusedError{Name: key.name, Reason: f.notLoaded()} // unloaded meanwhile
	}
	if v := f.further[key]; v != nil {
		v.used = time.Now()
		return v, nil
	}
	if err := f.makeRoom(key); err != nil {
		return nil, err
	}
	v := &requestedVersion{
		fingerprint: versionFingerprint(filepath.Join(f.dir, key.name), key.version), loaded: make(chan struct{}), used: time.Now(),
	}
	f.further[key] = v
	f.releasing.Go(func() { f.loadRequested(context.WithoutCancel(ctx), key, v) })
	return v, nil
}

// makeRoom releases the version that was unused for the longest time if no other one fits into
// memory. The caller holds the mutex.
func (f *Folder) makeRoom(wanted versionKey) error {
	var oldest versionKey
	var names []string
	for key, v := range f.further {
		if v.refusal != "" {
			continue
		}
		names = append(names, key.name+"/"+key.version)
		if first := f.further[oldest]; first == nil || v.used.Before(first.used) {
			oldest = key
		}
	}
	if len(names) < f.options.Versions {
		return nil
	}
	if v := f.further[oldest]; v != nil && v.isLoaded() && time.Since(v.used) > requestedIdle {
		f.drop(oldest)
		return nil
	}
	slices.Sort(names)
	return &RefusedError{Name: wanted.name, Temporary: true, Reason: fmt.Sprintf(
		"version %s does not fit into memory beside %s: at most %d versions are loaded that are not in use by default, "+
			"and one makes room after %v without requests", wanted.version, strings.Join(names, ", "), f.options.Versions, requestedIdle)}
}

// drop forgets a version. One that is being loaded is released when it is. The caller holds the mutex.
func (f *Folder) drop(key versionKey) {
	f.release(f.further[key].session)
	delete(f.further, key)
}

// loadRequested loads a version, or notes why it is refused.
func (f *Folder) loadRequested(ctx context.Context, key versionKey, v *requestedVersion) {
	session, err := f.load(ctx, key.name, key.version)
	f.mutex.Lock()
	defer f.mutex.Unlock()
	defer close(v.loaded)
	switch {
	case err != nil:
		v.refusal = f.reason(err)
		slog.ErrorContext(ctx, "model version refused", "model", key.name, "version", key.version, "reason", v.refusal)
	case f.further[key] != v:
		f.release(session)
		v.refusal = "it was unloaded meanwhile"
	default:
		v.session = session
		slog.InfoContext(ctx, "model version loaded", "model", key.name, "version", key.version)
	}
}

// dropChanged drops the requested versions whose files have changed or that are no longer available,
// and those that are in use by default now.
func (f *Folder) dropChanged() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for key, v := range f.further {
		m := f.models[key.name]
		current := m != nil && slices.Contains(m.available, key.version) &&
			(m.session == nil || m.session.Info().Version != key.version) &&
			v.fingerprint == versionFingerprint(filepath.Join(f.dir, key.name), key.version)
		if v.isLoaded() && !current {
			f.drop(key)
		}
	}
}
