package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/index"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/freeport"
)

const (
	files, letters       = "imageflow-files", "imageflow-dead-letters"
	accessKey, secretKey = "benchindex", "benchindex-secret"
	// live is the execution that is looked up.
	live = "in/000000/live"
)

// store is a running MinIO.
type store struct {
	process *process
	address string
	client  *objects.Store
}

func port() string {
	_, port, _ := strings.Cut(freeport.Address(), ":")
	return port
}

func startStore(ctx context.Context, procs *processes) (*store, error) {
	st := &store{address: freeport.Address()}
	var err error
	st.process, err = procs.start("minio", exec.Command(os.Getenv("MINIO_BINARY"), "server", filepath.Join(procs.dir, "data"),
		"--address", st.address, "--console-address", "127.0.0.1:0", "--quiet"), "MINIO_ROOT_USER="+accessKey,
		"MINIO_ROOT_PASSWORD="+secretKey, "MINIO_BROWSER=off", "MINIO_UPDATE=off", "CI=true", "MINIO_PROMETHEUS_AUTH_TYPE=public",
		"MINIO_SCANNER_SPEED=slowest") // the scanner walks all objects, too
	if err != nil {
		return nil, err
	}
	st.client, err = objects.New(objects.Config{
		Endpoint: st.address, AccessKey: accessKey, SecretKey: secretKey, Region: "us-east-1",
	})
	if err != nil {
		return nil, err
	}
	for _, bucket := range []string{files, letters} {
		for until := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			if _, err = st.client.MakeBucket(ctx, bucket); err == nil || time.Now().After(until) {
				break
			}
		}
	}
	return st, err
}

// env is the environment of a role that uses the store.
func (st *store) env() []string {
	return []string{
		"MINIO_ENDPOINT=" + st.address, "MINIO_ACCESS_KEY=" + accessKey, "MINIO_SECRET_KEY=" + secretKey, "HOST=127.0.0.1",
	}
}

// fill puts one finished execution by S3, and copies its files on disk, which takes a fraction of the
// time of puts: MinIO keeps an object as a folder with one file, which does not contain the key.
func (st *store) fill(ctx context.Context, dir string, n, folder int) error {
	names := []string{".jpg", "_resize.jpg", "_ai-detection.jpg", "_filter.jpg"}
	var contents [][]byte
	for i, name := range names {
		metadata := map[string]string{execution.IDMetadata: live, execution.StepMetadata: strings.Trim(name, "_.jpg")}
		if i == 0 {
			metadata = nil
		}
		info, err := st.client.Put(ctx, files, live+name, "image/jpeg", []byte("picture"), metadata)
		if err != nil {
			return err
		}
		if i == 0 { // a status without the version's digest is valid for every key
			done := map[string]string{execution.StatusTag: execution.StatusCompleted}
			if err := st.client.SetTags(ctx, files, info.Key, info.ETag, done); err != nil {
				return err
			}
		}
		content, err := os.ReadFile(filepath.Join(dir, info.Key, "xl.meta"))
		if err != nil {
			return err
		}
		contents = append(contents, content)
	}
	for i := range n / len(names) {
		at := 0
		if folder > 0 {
			at = i * len(names) / folder
		}
		for j, name := range names {
			object := filepath.Join(dir, fmt.Sprintf("in/%06d/%08d%s", at, i, name))
			made := os.MkdirAll(object, 0o755)
			if err := errors.Join(made, os.WriteFile(filepath.Join(object, "xl.meta"), contents[j], 0o644)); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// fillIndex writes an index of n completed executions: a week of windows with one segment each, and segments
// of a second for the last minutes.
func (st *store) fillIndex(ctx context.Context, n int) error {
	const windows, seconds = 7 * 24 * 6, 120
	now := time.Now().UTC()
	for i := range windows + seconds {
		at := now.Add(-time.Duration(i-seconds) * 10 * time.Minute)
		if i < seconds {
			at = now.Add(-time.Duration(i) * time.Second)
		}
		w := index.NewWriter(st.client, letters)
		for j := range max(n/(windows+seconds), 1) {
			id := fmt.Sprintf("in/%06d/%08d", i, j)
			w.Append(index.Entry{
				Bucket: files, ID: id, Key: id + ".jpg", ETag: "1", Size: 7, Arrived: at,
				Steps:   []index.Step{{Name: "resize", At: at}, {Name: "detect", At: at}, {Name: "filter", At: at}},
				Outcome: index.Outcome{Status: execution.StatusCompleted, ETag: "1", At: at},
			})
		}
		if err := w.Close(ctx); err != nil {
			return err
		}
		if i >= seconds {
			if err := st.moveSegment(ctx, now, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// moveSegment moves the newest segment to the window of a time.
func (st *store) moveSegment(ctx context.Context, now, at time.Time) error {
	last := ""
	after := execution.IndexFolder + now.Truncate(10*time.Minute).Format("20060102/1504/")
	for entry, err := range st.client.WalkAfter(ctx, letters, execution.IndexFolder, after) {
		if err != nil {
			return err
		}
		last = entry.Key
	}
	content, _, err := st.client.Get(ctx, letters, last, "", 1<<22)
	if err != nil {
		return err
	}
	key := execution.IndexFolder + at.Truncate(10*time.Minute).Format("20060102/1504/") +
		at.Format("20060102T150405.000000Z") + "-bench.gz"
	_, err = st.client.Put(ctx, letters, key, "application/gzip", content, nil)
	return errors.Join(err, st.client.Remove(ctx, letters, last))
}

// counts are requests by S3 operation.
type counts map[string]int

var requestLine = regexp.MustCompile(`^minio_s3_requests_total\{api="([a-z0-9]+)".*\} ([0-9.e+]+)`)

// requests returns the requests that MinIO has served.
func (st *store) requests() (counts, error) {
	answer, err := http.Get("http://" + st.address + "/minio/v2/metrics/cluster")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	all := counts{}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if m := requestLine.FindSubmatch(bytes.TrimSpace(lines.Bytes())); m != nil {
			n, _ := strconv.ParseFloat(string(m[2]), 64)
			all[string(m[1])] += int(n)
		}
	}
	return all, nil
}

func (c counts) minus(before counts) string {
	var text []string
	for api, n := range c {
		if n > before[api] {
			text = append(text, fmt.Sprintf("%s %d", api, n-before[api]))
		}
	}
	slices.Sort(text)
	return strings.Join(text, ", ")
}
