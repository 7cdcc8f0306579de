package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/image/draw"

	"imageflow.dev/internal/testing/freeport"
	"imageflow.dev/test/localmode"
	"imageflow.dev/test/proc"
)

const bucket = "imageflow-files"

// patience limits the time of one chain.
const patience = 2 * time.Minute

type testImage struct {
	path, size string
	data       []byte
}

// readImages returns the JPEG at path and a version of 640×360.
func readImages(path string) ([]testImage, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	full, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	small := image.NewRGBA(image.Rect(0, 0, 640, 360))
	draw.CatmullRom.Scale(small, small.Bounds(), full, full.Bounds(), draw.Src, nil)
	var text bytes.Buffer
	err = jpeg.Encode(&text, small, &jpeg.Options{Quality: 85})
	size := full.Bounds().Size()
	return []testImage{{path, fmt.Sprintf("%d×%d", size.X, size.Y), data}, {path, "640×360", text.Bytes()}}, err
}

// build is a running local mode of one build.
type build struct {
	name, profiles string // profiles is the host:port of its pprof
	local          *localmode.Local
	store          *minio.Client

	mu      sync.Mutex
	uploads int
	ended   int                       // chains
	waiting map[string]chan time.Time // by execution: receives the time of the last output
}

func startBuild(name, command string) (*build, error) {
	b := &build{name: name, profiles: freeport.Address(), waiting: map[string]chan time.Time{}}
	cmd := exec.Command(command)
	cmd.Env = append(os.Environ(), "PPROF=true", "PPROF_ADDRESS="+b.profiles)
	var err error
	if b.local, err = localmode.StartCommand(cmd, b.note); err != nil {
		return nil, err
	}
	b.store, err = minio.New(b.local.S3, &minio.Options{
		Creds: credentials.NewStaticV4("imageflow", "imageflow-local", ""), Region: "us-east-1",
	})
	return b, err
}

// note reads a line that local mode prints at the end of a step:
//
//	✓ filter  imageflow-files/chain/7_filter.jpg  800×450  99 kB  12 ms
func (b *build) note(line string) {
	fields := strings.Fields(line)
	if len(fields) < 3 || fields[1] != "filter" {
		return
	}
	key := strings.TrimPrefix(fields[2], bucket+"/")
	b.mu.Lock()
	defer b.mu.Unlock()
	if done, ok := b.waiting[strings.TrimSuffix(key, "_filter.jpg")]; ok {
		done <- time.Now()
		delete(b.waiting, strings.TrimSuffix(key, "_filter.jpg"))
		b.ended++
	}
}

// completed returns the number of chains that have ended.
func (b *build) completed() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended
}

// burst uploads an image n times at once and returns, for each one, the time from the
// start of the upload to the last output.
func (b *build) burst(img testImage, n int) ([]time.Duration, error) {
	took, errs := make([]time.Duration, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { took[i], errs[i] = b.upload(img) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.name, err)
		}
	}
	return took, nil
}

func (b *build) upload(img testImage) (time.Duration, error) {
	done := make(chan time.Time, 1)
	b.mu.Lock()
	b.uploads++
	execution := fmt.Sprintf("chain/%d", b.uploads)
	b.waiting[execution] = done
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	_, err := b.store.PutObject(ctx, bucket, execution+".jpg", bytes.NewReader(img.data), int64(len(img.data)),
		minio.PutObjectOptions{ContentType: "image/jpeg"})
	if err != nil {
		return 0, err
	}
	select {
	case at := <-done:
		return at.Sub(began), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s has no last output after %v", execution, patience)
	}
}

// cpu returns the CPU time that the process has used, in ms.
func (b *build) cpu() float64 {
	used, _ := proc.CPU(b.local.PID()) // ended: 0
	return used.Seconds() * 1000
}

// settled returns the CPU time after the work that follows the last output: the tag of the upload
// and the acknowledgements.
func (b *build) settled() float64 {
	time.Sleep(200 * time.Millisecond)
	return b.cpu()
}
