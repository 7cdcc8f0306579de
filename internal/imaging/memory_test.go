package imaging_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/internal/imaging"
	"imageflow.dev/test/cgroup"
)

var (
	memoryBudget = flag.Int64("memory.budget", 64<<20, "largest footprint of an image in TestFootprintHolds; make memory has the default of MAX_DECODED_BYTES")
	memoryPixels = flag.Int64("memory.pixels", 2e6, "largest image there; make memory has the default of MAX_IMAGE_PIXELS")
	memoryWork   = flag.String("memory.work", "", "what the child process of TestFootprintHolds does: work|format|file")
)

// memoryConstant is what a job takes beside the pixels: tables and code of the
// codecs, threads, and rows that are in work.
const memoryConstant = 32 << 20

// memoryEnvironment is what the images set, and config/base.
var memoryEnvironment = []string{
	"VIPS_CONCURRENCY=1", "MALLOC_ARENA_MAX=2", "MALLOC_MMAP_THRESHOLD_=1048576", "MALLOC_TRIM_THRESHOLD_=16777216",
	"VIPS_DISC_THRESHOLD=1g", "GOMEMLIMIT=1GiB", "GOMAXPROCS=2",
}

// memoryWorks are the operations of the processors, with what each is reckoned to
// take.
var memoryWorks = map[string]struct {
	footprint func(*imaging.Image, imaging.Format) int64
	do        func(*imaging.Image, imaging.Format) error
}{
	"change": {
		func(m *imaging.Image, f imaging.Format) int64 { return m.Footprint(f) },
		func(m *imaging.Image, f imaging.Format) error {
			p, err := m.Pixels()
			if err != nil {
				return err
			}
			p.Blur(2)
			_, err = p.Encode(f)
			return err
		},
	},
	"convert": {
		func(m *imaging.Image, f imaging.Format) int64 { return m.ConvertFootprint(f) },
		func(m *imaging.Image, f imaging.Format) error { _, err := m.Convert(f); return err },
	},
	"draw": {
		func(m *imaging.Image, f imaging.Format) int64 { return m.Footprint(f) },
		func(m *imaging.Image, f imaging.Format) error {
			p, err := m.Pixels()
			if err != nil {
				return err
			}
			_, err = p.EncodeLike(m, f)
			return err
		},
	},
	"halve": {
		func(m *imaging.Image, f imaging.Format) int64 {
			w, h := m.Size()
			return m.ResizeFootprint(w/2, h/2, f)
		},
		func(m *imaging.Image, f imaging.Format) error {
			w, h := m.Size()
			_, err := m.Resize(w/2, h/2, imaging.Best, f)
			return err
		},
	},
	"shrink": {
		func(m *imaging.Image, f imaging.Format) int64 { return m.ResizeFootprint(800, 600, f) },
		func(m *imaging.Image, f imaging.Format) error {
			_, err := m.Resize(800, 600, imaging.Fast, f)
			return err
		},
	},
}

// TestFootprintHolds measures what each pair of formats takes, each in a process
// and a memory cgroup of its own, at the largest image that the budget allows.
func TestFootprintHolds(t *testing.T) {
	if *memoryWork != "" {
		memoryChild(t)
		return
	}
	files := memoryFiles{t.TempDir()}
	for _, read := range slices.Sorted(maps.Keys(memorySources)) {
		for _, work := range slices.Sorted(maps.Keys(memoryWorks)) {
			for _, write := range writable {
				t.Run(fmt.Sprintf("%s %s %s", read, work, write), func(t *testing.T) {
					measureMemory(t, files, read, work, write)
				})
			}
		}
	}
}

func measureMemory(t *testing.T, files memoryFiles, read, work string, write imaging.Format) {
	each := memoryWorks[work].footprint(open(t, files.data(t, read, 1e6)), write)
	if each == 0 {
		t.Skip("takes nothing")
	}
	file := files.path(t, read, min(*memoryPixels, *memoryBudget*1e6/each))
	m := open(t, readFile(t, file))
	group, err := cgroup.New(8 << 30)
	if errors.Is(err, cgroup.ErrUnavailable) {
		t.Skip("left out: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	before, peak := runMemoryChild(t, group, work, write, file)
	reckoned := memoryWorks[work].footprint(m, write)
	pixels := int64(m.Width) * int64(m.Height)
	t.Logf("MEMORY %5.1f MP: %7.1f MiB, %5.2f B a pixel, %3.0f %% of what is reckoned", float64(pixels)/1e6,
		float64(peak-before)/(1<<20), float64(peak-before)/float64(pixels), 100*float64(peak-before)/float64(reckoned))
	if peak-before > reckoned+memoryConstant {
		t.Errorf("%d MiB for %d×%d pixels, reckoned are %d MiB and %d",
			(peak-before)>>20, m.Width, m.Height, reckoned>>20, memoryConstant>>20)
	}
}

// runMemoryChild runs the work in a process of the group and returns how much the
// group used before it, and at most.
func runMemoryChild(t *testing.T, group *cgroup.Group, work string, write imaging.Format, file string) (before, peak int64) {
	t.Helper()
	cmd := group.Command(os.Args[0], "-test.run", "^TestFootprintHolds$", "-memory.work", strings.Join([]string{work, string(write), file}, "|"))
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
	ready := lines.Text()
	before, _ = group.Usage()
	fmt.Fprintln(in, "go")
	for lines.Scan() {
		ready += "\n" + lines.Text()
	}
	if err := cmd.Wait(); err != nil {
		kills, _ := group.Kills()
		t.Fatalf("%v, %d kills: %s", err, kills, ready)
	}
	if peak, err = group.Peak(); err != nil {
		t.Fatal(err)
	}
	return before, peak
}

// memoryChild opens the file, says so, and does the work when it is asked to.
func memoryChild(t *testing.T) {
	what := strings.SplitN(*memoryWork, "|", 3)
	m := open(t, readFile(t, what[2]))
	debug.FreeOSMemory()
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := memoryWorks[what[0]].do(m, imaging.Format(what[1])); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
