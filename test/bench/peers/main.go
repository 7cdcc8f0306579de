// Command peers sends small files to the resize of this repository, to imagor and to sharp, and prints in
// Markdown what each reads and writes.
//
// Usage: peers FILES SHARP. FILES is a folder made by files.py, and SHARP a folder with node_modules/sharp.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: peers FILES SHARP, or peers -worker PEER")
	}
	if os.Args[1] == "-worker" {
		if err := work(os.Args[2]); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

// task is the conversion of a file to a format. animated keeps all frames.
type task struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Format   string `json:"format"`
	Animated bool   `json:"animated"`
}

// peer is a process that does tasks.
type peer struct {
	name string
	in   *json.Encoder
	out  *bufio.Scanner
}

func startPeer(name string, args ...string) (*peer, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "VIPS_WARNING=0")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &peer{name, json.NewEncoder(in), bufio.NewScanner(out)}, cmd.Start()
}

// do returns the reason for which the peer does not do a task; it is empty if the peer does.
func (p *peer) do(t task) (refusal string, err error) {
	if err := p.in.Encode(t); err != nil {
		return "", err
	}
	if !p.out.Scan() {
		return "", fmt.Errorf("%s ended at %s", p.name, t.From)
	}
	return p.out.Text(), nil
}

func run(files, sharp string) error {
	out, err := os.MkdirTemp("", "peers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(out)
	var peers []*peer
	for _, command := range [][]string{
		{"ImageFlow", os.Args[0], "-worker", "imageflow"}, {"imagor", os.Args[0], "-worker", "imagor"},
		{"sharp", "node", "peers/sharp.mjs", sharp},
	} {
		p, err := startPeer(command[0], command[1:]...)
		if err != nil {
			return err
		}
		peers = append(peers, p)
	}
	if err := compareInputs(peers, files, out); err != nil {
		return err
	}
	return compareOutputs(peers, files, out)
}

// compareInputs prints what each peer makes of each file, as a PNG.
func compareInputs(peers []*peer, files, out string) error {
	printHead("in", peers)
	names, err := filepath.Glob(filepath.Join(files, "*"))
	if err != nil {
		return err
	}
	for _, file := range names {
		name := filepath.Base(file)
		if name == common || strings.Contains(strings.TrimSuffix(name, ".png"), ".") && strings.HasSuffix(name, ".png") {
			continue // a reference
		}
		fmt.Printf("| %s |", name)
		for _, p := range peers {
			t := task{From: file, To: filepath.Join(out, p.name+".png"), Format: "png"}
			fmt.Printf(" %s |", p.result(t, func(data []byte) string { return fidelity(data, referenceOf(file)) }))
		}
		fmt.Println()
	}
	return nil
}

// compareOutputs prints what each peer writes from an animation of three frames.
func compareOutputs(peers []*peer, files, out string) error {
	printHead("out", peers)
	for _, format := range []string{"jpeg", "png", "webp", "avif", "tiff", "gif", "jxl", "heif", "jp2"} {
		for _, animated := range []bool{false, true} {
			from := filepath.Join(files, common)
			if animated {
				from = filepath.Join(files, "animated.gif")
			}
			fmt.Printf("| %s%s |", format, map[bool]string{true: ", of an animation"}[animated])
			for _, p := range peers {
				t := task{from, filepath.Join(out, p.name+"."+format), format, animated}
				fmt.Printf(" %s |", p.result(t, describe))
			}
			fmt.Println()
		}
	}
	return nil
}

func printHead(title string, peers []*peer) {
	names := make([]string, len(peers))
	for i, p := range peers {
		names[i] = p.name
	}
	fmt.Printf("\n| %s | %s |\n|---|%s\n", title, strings.Join(names, " | "), strings.Repeat("---|", len(peers)))
}

// result does a task and returns the judgement of its output, or else the refusal.
func (p *peer) result(t task, judge func(data []byte) string) string {
	refusal, err := p.do(t)
	if err != nil {
		log.Fatal(err)
	}
	if refusal != "" {
		return "no: " + strings.ReplaceAll(refusal[:min(len(refusal), 90)], "|", "/")
	}
	data, err := os.ReadFile(t.To)
	if err != nil {
		return "no output"
	}
	return judge(data)
}
