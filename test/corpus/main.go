// Command corpus sends every image file of some folders to a local mode of its own, through
// resize, detect and a filter that changes nothing, and compares the answers with what Pillow
// and libvips decode. It fails if the service answers one file with a 5xx status, or if it
// refuses more than one in a hundred of the files that both references decode.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"imageflow.dev/test/localmode"
)

// maxRefused is the share of the files that both references decode and the service may refuse.
const maxRefused = 0.01

func main() {
	all := flag.Bool("all", false, "print every file, not only those that need an explanation")
	python := flag.String("python", "python3", "a Python that has Pillow, pyvips and numpy")
	command := flag.String("local", "bin/imageflow-local", "the command of local mode")
	limit := flag.Int64("max-bytes", 16<<20, "the size of a file from which on it is left out")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: corpus [flags] FOLDER...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	r, err := run(*command, *python, flag.Args(), *limit)
	if r != nil {
		r.print(os.Stdout, *all)
	}
	if err = errors.Join(err, r.verdict()); err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
		os.Exit(1)
	}
}

// run returns the results of all image files below the folders, or of the files before an error.
func run(command, python string, folders []string, limit int64) (report, error) {
	files, err := imageFiles(folders, limit)
	if err != nil {
		return nil, err
	}
	local, err := localmode.Start(command)
	if err != nil {
		return nil, err
	}
	defer local.Stop()
	temp, err := os.MkdirTemp("", "imageflow-corpus-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	s := &service{local: local, temp: temp}
	pillow, vips := newReference(python, "pillow"), newReference(python, "vips")
	defer pillow.stop()
	defer vips.stop()
	var results report
	begin := time.Now()
	reported := begin
	for i, file := range files {
		r, err := s.send(file)
		if err != nil {
			return results, fmt.Errorf("%s: %w", file.path, err)
		}
		var both sync.WaitGroup
		both.Go(func() { r.pillow = pillow.decode(r) })
		both.Go(func() { r.vips = vips.decode(r) })
		both.Wait()
		results = append(results, r)
		if i == len(files)-1 || time.Since(reported) > 10*time.Second {
			reported = time.Now()
			fmt.Fprintf(os.Stderr, "%d of %d files, %v: %s\n", i+1, len(files), time.Since(begin).Round(time.Second), file.path)
		}
	}
	return results, nil
}

// file is an image file, and format the name of its format by its first bytes.
type file struct {
	path, format string
}

// imageFiles returns the files of up to limit bytes that begin as an image does, once for each
// content, sorted by path.
func imageFiles(folders []string, limit int64) ([]file, error) {
	var files []file
	seen := map[[32]byte]bool{}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			if info, err := entry.Info(); err != nil || info.Size() > limit || info.Size() < 12 {
				return err
			}
			format, sum, err := sniff(path)
			if err != nil || format == "" || seen[sum] {
				return err
			}
			seen[sum] = true
			files = append(files, file{path, format})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no image files in %v", folders)
	}
	sort.Slice(files, func(i, j int) bool { return files[i].path < files[j].path })
	return files, nil
}
