package imaging_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/cgroup"
)

var (
	memoryBudget = flag.Int64("memory.budget", 64<<20,
		"maximum footprint of an image in TestFootprintHolds, in bytes; make memory uses the default of MAX_DECODED_BYTES")
	memoryPixels = flag.Int64("memory.pixels", 2e6,
		"maximum size of an image in TestFootprintHolds, in pixels; make memory uses the default of MAX_IMAGE_PIXELS")
	memoryAll       = flag.Bool("memory.all", false, "measure all sources in TestFootprintHolds, not only the common ones")
	memoryChildWork = flag.String("memory.work", "", "work of the child process of TestFootprintHolds: work|format|file")
)

// memoryConstant is the memory of a job besides the pixels, in bytes: tables and code of
// the codecs, threads, and the rows being processed.
const memoryConstant = 32 << 20

// atOnce ends the names of sources that are small enough to be inflated at once.
const atOnce = ", at once"

// moves ends the names of animations.
const moves = ", animated"

// maxAnimationPixels is the default of MAX_ANIMATION_PIXELS.
const maxAnimationPixels int64 = 160e6

// memoryEnvironment is the environment set by the container images and config/base.
var memoryEnvironment = []string{
	"VIPS_CONCURRENCY=1", "MALLOC_ARENA_MAX=2", "MALLOC_MMAP_THRESHOLD_=1048576", "MALLOC_TRIM_THRESHOLD_=16777216",
	"VIPS_DISC_THRESHOLD=1g", "GOMEMLIMIT=1GiB", "GOGC=400", "GOMAXPROCS=2",
}

// TestFootprintHolds measures the memory of each pair of formats, at the largest image that
// the budget allows. Each runs in its own process and memory cgroup.
func TestFootprintHolds(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory or time: make test")
	}
	withoutRace(t)
	if *memoryChildWork != "" {
		memoryChild(t)
		return
	}
	files := memoryFiles{t.TempDir()}
	for _, read := range slices.Sorted(maps.Keys(memorySources)) {
		if !*memoryAll && !slices.Contains([]string{"jpeg", "jpeg progressive", "png alpha", "webp", "gif" + moves}, read) {
			continue
		}
		if strings.HasSuffix(read, moves) {
			measureAnimations(t, files, read)
		} else {
			measureStills(t, files, read)
		}
	}
}

func measureAnimations(t *testing.T, files memoryFiles, read string) {
	for _, write := range []imaging.Format{imaging.GIF, imaging.WebP} {
		for _, work := range []string{"animate", "2 renditions", "9 renditions", "detect", "detect in tiles"} {
			t.Run(fmt.Sprintf("%s %s to %s", work, read, write), func(t *testing.T) {
				measureMemory(t, files, read, work, write)
			})
		}
	}
}

func measureStills(t *testing.T, files memoryFiles, read string) {
	for _, write := range writable {
		t.Run(fmt.Sprintf("%s to %s", read, write), func(t *testing.T) {
			measureMemory(t, files, read, "change", write)
		})
	}
	works := []string{"filter", "halve", "shrink", "pad", "rotate", "trim", "attention", "detect", "detect in tiles"}
	if strings.HasPrefix(read, "jpeg") {
		works = append(works, "redact") // in planes; of other formats it is a change
	}
	for _, work := range works {
		t.Run(fmt.Sprintf("%s %s", work, read), func(t *testing.T) {
			measureMemory(t, files, read, work, imaging.JPEG)
		})
	}
	for _, work := range []string{"2 renditions", "9 renditions"} {
		write := imaging.JPEG
		if strings.HasPrefix(read, "webp") {
			write = imaging.WebP // in planes
		}
		t.Run(fmt.Sprintf("%s %s", work, read), func(t *testing.T) {
			measureMemory(t, files, read, work, write)
		})
	}
	for name, to := range memoryEncodings {
		if read != "jpeg" && read != "png alpha" || to.encoding.Speed > 0 && !*memoryAll {
			continue
		}
		t.Run(fmt.Sprintf("%s to %s", read, name), func(t *testing.T) {
			measureMemory(t, files, read, name, to.format)
		})
	}
}

// memoryEncodings are the options that take the most memory.
var memoryEncodings = map[string]struct {
	format   imaging.Format
	encoding imaging.Encoding
}{
	"best jpeg":             {imaging.JPEG, imaging.Encoding{Quality: 100}},
	"best progressive jpeg": {imaging.JPEG, imaging.Encoding{Quality: 100, Progressive: true}},
	"progressive jpeg":      {imaging.JPEG, imaging.Encoding{Progressive: true}},
	"p3 jpeg":               {imaging.JPEG, imaging.Encoding{Profile: imaging.DisplayP3}},
	"best webp":             {imaging.WebP, imaging.Encoding{Quality: 100}},
	"lossless webp":         {imaging.WebP, imaging.Encoding{Lossless: true}},
	"best avif":             {imaging.AVIF, imaging.Encoding{Quality: 100}},
	"lossless avif":         {imaging.AVIF, imaging.Encoding{Lossless: true}},
	"lossless, slow avif":   {imaging.AVIF, imaging.Encoding{Lossless: true, Speed: 5}},
	"slow avif":             {imaging.AVIF, imaging.Encoding{Speed: 5}},
	"palette png":           {imaging.PNG, imaging.Encoding{Palette: true}},
	"small png":             {imaging.PNG, imaging.Encoding{Compression: 9}},
	"auto": {imaging.Auto, imaging.Encoding{
		Accept: formats(imaging.JPEG, imaging.PNG, imaging.WebP, imaging.AVIF, imaging.JXL),
	}},
	"best, slow avif":    {imaging.AVIF, imaging.Encoding{Speed: 5, Quality: 100}},
	"best jxl":           {imaging.JXL, imaging.Encoding{Quality: 100}},
	"lossless jxl":       {imaging.JXL, imaging.Encoding{Lossless: true}},
	"slow jxl":           {imaging.JXL, imaging.Encoding{Speed: 5}},
	"slow, lossless jxl": {imaging.JXL, imaging.Encoding{Speed: 5, Lossless: true}},
}

// memoryWorkOf returns the operation of a name of memoryWorks or memoryEncodings.
func memoryWorkOf(name string) memoryWork {
	to, ok := memoryEncodings[name]
	if !ok {
		return memoryWorks[name]
	}
	change := memoryWorks["change"]
	return memoryWork{
		func(m *imaging.Image, f imaging.Format) int64 {
			m.Encoding = to.encoding
			return change.footprint(m, f)
		},
		func(m *imaging.Image, f imaging.Format) error {
			m.Encoding = to.encoding
			return change.do(m, f)
		},
	}
}

func measureMemory(t *testing.T, files memoryFiles, read, work string, write imaging.Format) {
	footprint := memoryWorkOf(work).footprint
	each := max(1, footprint(memoryImage(t, files.path(t, read, 1e6)), write))
	most := min(*memoryPixels, *memoryBudget*1e6/each)
	if strings.HasSuffix(read, atOnce) {
		most = min(most, 16e6)
	}
	if strings.HasSuffix(read, moves) {
		most = min(most, maxAnimationPixels/noiseFrames)
	}
	file := files.path(t, read, most)
	group, err := cgroup.New(8 << 30)
	if errors.Is(err, cgroup.ErrUnavailable) {
		t.Skip("skipped: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	m := memoryImage(t, file)
	computed, pixels := footprint(m, write), int64(m.Width)*int64(m.Height)
	taken := runMemoryChild(t, group, work, write, file)
	t.Logf("%5.1f MP take %4d MiB, %4.1f bytes per pixel, %3d %% of the footprint",
		float64(pixels)/1e6, taken>>20, float64(taken)/float64(pixels), 100*taken/max(1, computed))
	if taken > computed+memoryConstant {
		t.Errorf("%d×%d pixels take %d MiB, more than the footprint of %d MiB + %d MiB",
			m.Width, m.Height, taken>>20, computed>>20, memoryConstant>>20)
	}
}

// memoryImage opens a file without a limit for its area.
func memoryImage(t *testing.T, file string) *imaging.Image {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := imaging.Open(data, imaging.Limits{MaxSide: 16383, MaxPixels: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// runMemoryChild does the work in a process of the group and returns the memory that the
// work took, in bytes.
func runMemoryChild(t *testing.T, group *cgroup.Group, work string, write imaging.Format, file string) int64 {
	t.Helper()
	cmd := group.Command(os.Args[0], "-test.run", "^TestFootprintHolds$",
		"-memory.work", strings.Join([]string{work, string(write), file}, "|"))
	cmd.Env = append(os.Environ(), memoryEnvironment...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	printed := lines.Text()
	before, err := group.Usage()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in, "go")
	for lines.Scan() {
		printed += "\n" + lines.Text()
	}
	if err := cmd.Wait(); err != nil {
		kills, _ := group.Kills()
		t.Fatalf("%v, %d kills: %s", err, kills, printed)
	}
	peak, err := group.Peak()
	if err != nil {
		t.Fatal(err)
	}
	return peak - before
}

// memoryChild opens the file, prints "ready", and does the work after it has read a line.
func memoryChild(t *testing.T) {
	what := strings.SplitN(*memoryChildWork, "|", 3)
	if err := imaging.Start(); err != nil { // before "ready", so that the work does not include it
		t.Fatal(err)
	}
	m := memoryImage(t, what[2])
	debug.FreeOSMemory()
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := memoryWorkOf(what[0]).do(m, imaging.Format(what[1])); err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(m) // as a job does
}
