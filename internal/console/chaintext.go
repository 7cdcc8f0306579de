package console

import "strings"

// The sizes of a node of a drawing, in px, and the characters in one of its lines.
const (
	nodeWidth   = 172
	nodePadding = 8
	lineHeight  = 15
	lineChars   = 23
	// maxFactLines and maxProblemLines bound what a node shows of a text. The list beside the drawing has all of it.
	maxFactLines    = 3
	maxProblemLines = 8
)

// chainRow is a line of text in a node. Y is its baseline below the node's upper side. Whole is the text that was cut, if it was.
type chainRow struct {
	Class, Text, Whole string
	Y                  int
}

// write makes the rows of a node, whose height follows from them.
func (n *chainNode) write() {
	n.W, n.H = nodeWidth, nodePadding
	title := n.Title
	if len(n.Problems) > 0 {
		title = "✕ " + title
	}
	n.add("title", title, 2)
	if n.Trigger != "" {
		n.add("muted", n.Trigger, 2)
	}
	if n.About != "" {
		n.add("about", n.About, maxFactLines)
	}
	n.figureY = n.H + lineHeight - 2
	n.H += n.figureLines()*lineHeight + 3
	for _, f := range n.Facts {
		n.add("fact", strings.TrimSpace(f.Name+" "+f.Value), maxFactLines)
	}
	if n.Kind == "step" {
		for _, o := range n.Outputs {
			n.add("output", "→ "+o, maxFactLines)
		}
	}
	for _, p := range n.Problems {
		n.add("wrong", p, maxProblemLines)
	}
	n.H += nodePadding
}

// figureLines returns how many lines the figures of a node have, so that its size does not depend on them.
func (n *chainNode) figureLines() int {
	return map[string]int{"upload": 1, "step": 2, "completion": 2}[n.Kind]
}

// FigureY returns the baseline of Figure.
func (n *chainNode) FigureY() int { return n.figureY }

// TimesY returns the baseline of Times.
func (n *chainNode) TimesY() int { return n.figureY + lineHeight }

// add adds a text in at most so many lines.
func (n *chainNode) add(class, text string, maxLines int) {
	lines := wrap(visible(text), lineChars)
	row := chainRow{Class: class}
	if len(lines) > maxLines {
		row.Whole = visible(text)
		last := []rune(lines[maxLines-1])
		lines = append(lines[:maxLines-1], string(last[:min(len(last), lineChars-1)])+"…")
	}
	for _, line := range lines {
		n.H += lineHeight
		row.Text, row.Y = line, n.H-4
		n.Rows = append(n.Rows, row)
	}
}

// wrap breaks a text into lines of at most width characters: after a space if there is one, or else after punctuation, or else
// anywhere. Spaces at the ends of lines are dropped.
func wrap(text string, width int) (lines []string) {
	rest := []rune(text)
	for len(rest) > width {
		at := width
		for _, breaks := range []string{" ", "/.,=&_-:"} {
			found := strings.LastIndexAny(string(rest[:width]), breaks)
			if n := len([]rune(string(rest[:width])[:max(found, 0)])) + 1; n > width/3 {
				at = n
				break
			}
		}
		lines = append(lines, strings.TrimSpace(string(rest[:at])))
		for rest = rest[at:]; len(rest) > 0 && rest[0] == ' '; {
			rest = rest[1:] // and no copy: a description can have 256 KiB
		}
	}
	return append(lines, string(rest))
}

// layOut gives the nodes and arrows of a drawing their places.
func (d *chainDrawing) layOut() {
	var boxes []box
	for _, n := range d.Nodes {
		n.write()
		boxes = append(boxes, n.box)
	}
	arrows := make([]arrow, len(d.Arrows))
	leaving, arriving := map[int]int{}, map[int]int{}
	for i, a := range d.Arrows {
		arrows[i] = a.arrow
		leaving[a.arrow.From]++
		arriving[a.arrow.To]++
	}
	d.Width, d.Height = layOut(boxes, arrows)
	for i, n := range d.Nodes {
		n.box = boxes[i]
	}
	for i, a := range d.Arrows {
		a.arrow = arrows[i]
		a.placeLabel(leaving[a.arrow.From] >= arriving[a.arrow.To])
	}
}

// placeLabel puts the label where the arrow is alone: at its end if many leave its beginning, or else at its beginning.
func (a *chainArrow) placeLabel(atEnd bool) {
	if atEnd {
		end := a.Points[len(a.Points)-1]
		a.LabelX, a.LabelY, a.Anchor = end.X-9, end.Y-5, "end"
		return
	}
	a.LabelX, a.LabelY, a.Anchor = a.Points[0].X+4, a.Points[0].Y-5, "start"
}
