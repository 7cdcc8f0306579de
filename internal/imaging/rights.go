package imaging

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Namespaces of XMP.
const (
	spaceDC     = "http://purl.org/dc/elements/1.1/"
	spaceRights = "http://ns.adobe.com/xap/1.0/rights/"
	spaceRDF    = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
)

// rightsProperties are the properties of XMP that name creators and rights (ISO 16684-1, 8.3 and
// 8.5). array is the kind of array of a property; it is empty for a single text.
var rightsProperties = []struct{ space, prefix, name, array string }{
	{spaceDC, "dc", "creator", "Seq"},
	{spaceDC, "dc", "rights", "Alt"},
	{spaceRights, "xmpRights", "Marked", ""},
	{spaceRights, "xmpRights", "Owner", "Bag"},
	{spaceRights, "xmpRights", "UsageTerms", "Alt"},
	{spaceRights, "xmpRights", "WebStatement", ""},
}

// Indexes of rightsProperties.
const (
	creator = iota
	copyright
)

// rights are the names of creators and the rights of an image.
type rights struct {
	exif map[uint16][]byte // the texts of Artist and Copyright
	xmp  [][]localText     // by the index of rightsProperties
}

// localText is a text with the language of an alternative.
type localText struct{ language, text string }

// rights returns the names and the rights in the metadata. IPTC fills what XMP lacks.
func (m metadata) rights() rights {
	r := rights{map[uint16][]byte{}, rightsOfXMP(m.xmp)}
	entries, form, _ := firstDirectory(m.exif) // no entries on error
	for _, e := range entries {
		if content, err := e.content(m.exif, form); err == nil && e.kind == tiffASCII &&
			(e.tag == tagArtist || e.tag == tagCopyright) {
			r.exif[e.tag] = content
		}
	}
	for property, texts := range rightsOfIPTC(m.iptc) {
		if r.xmp[property] == nil {
			r.xmp[property] = texts
		}
	}
	return r
}

// Data sets of record 2 of IPTC-IIM 4.1.
const (
	iptcMark      = 0x1c
	iptcByline    = 80
	iptcCopyright = 116
)

// rightsOfIPTC returns the names and the rights by the index of rightsProperties.
func rightsOfIPTC(iptc []byte) map[int][]localText {
	all := map[int][]localText{}
	for len(iptc) >= 5 && iptc[0] == iptcMark {
		record, set, size := iptc[1], iptc[2], int(binary.BigEndian.Uint16(iptc[3:]))
		if iptc = iptc[5:]; size > len(iptc) {
			break
		}
		value := localText{text: fromLatin1(iptc[:size])}
		switch iptc = iptc[size:]; {
		case record != 2 || len(all[creator]) >= maxValuesOfProperty:
		case set == iptcByline:
			all[creator] = append(all[creator], value)
		case set == iptcCopyright:
			all[copyright] = []localText{value}
		}
	}
	return all
}

// fromLatin1 returns text that is UTF-8, or else ISO 8859-1, as UTF-8.
func fromLatin1(text []byte) string {
	if utf8.Valid(text) {
		return string(text)
	}
	var b strings.Builder
	for _, c := range text {
		b.WriteRune(rune(c))
	}
	return b.String()
}

const (
	// maxValuesOfProperty limits the texts of a property that are kept.
	maxValuesOfProperty = 32
	// maxParsedXMP limits a packet that is parsed, in bytes.
	maxParsedXMP = 256 << 10
)

// xmpReader collects the texts of rightsProperties.
type xmpReader struct {
	texts [][]localText
	depth int
	// property is the index of the property that is open, at propertyDepth; -1 means none.
	property, propertyDepth int
	language                string
	text                    strings.Builder
}

// rightsOfXMP returns the texts of rightsProperties in a packet, up to the first error in it.
func rightsOfXMP(packet []byte) [][]localText {
	r := xmpReader{texts: make([][]localText, len(rightsProperties)), property: -1}
	if len(packet) > maxParsedXMP {
		return r.texts
	}
	d := xml.NewDecoder(bytes.NewReader(packet))
	for {
		token, err := d.Token()
		if err != nil {
			return r.texts
		}
		switch t := token.(type) {
		case xml.StartElement:
			r.start(t)
		case xml.EndElement:
			r.end(t)
		case xml.CharData:
			if r.property >= 0 && r.text.Len() < maxText {
				r.text.Write(t)
			}
		}
	}
}

func (r *xmpReader) start(e xml.StartElement) {
	r.depth++
	switch {
	case r.property >= 0:
		r.language = ""
		for _, a := range e.Attr {
			if a.Name.Local == "lang" {
				r.language = a.Value
			}
		}
		r.text.Reset()
	case e.Name == xml.Name{Space: spaceRDF, Local: "Description"}:
		for _, a := range e.Attr { // the short form of a property
			r.add(propertyOf(a.Name), localText{text: a.Value})
		}
	default:
		if r.property = propertyOf(e.Name); r.property >= 0 {
			r.propertyDepth = r.depth
			r.text.Reset()
		}
	}
}

func (r *xmpReader) end(e xml.EndElement) {
	isItem := e.Name == xml.Name{Space: spaceRDF, Local: "li"}
	isSingle := r.depth == r.propertyDepth && r.property >= 0 && len(r.texts[r.property]) == 0
	if r.property >= 0 && (isItem || isSingle) {
		r.add(r.property, localText{r.language, strings.TrimSpace(r.text.String())})
		r.text.Reset()
		r.language = ""
	}
	if r.depth == r.propertyDepth {
		r.property = -1
	}
	r.depth--
}

func (r *xmpReader) add(property int, value localText) {
	if property >= 0 && value.text != "" && len(value.text) <= maxText && len(r.texts[property]) < maxValuesOfProperty {
		r.texts[property] = append(r.texts[property], value)
	}
}

// propertyOf returns the index of a property in rightsProperties, or -1.
func propertyOf(name xml.Name) int {
	for i, p := range rightsProperties {
		if p.space == name.Space && p.name == name.Local {
			return i
		}
	}
	return -1
}

// packet returns an XMP packet with the rights, or nil if there are none.
func (r rights) packet() []byte {
	if !slices.ContainsFunc(r.xmp, func(texts []localText) bool { return len(texts) > 0 }) {
		return nil
	}
	var b bytes.Buffer
	b.WriteString("<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?><x:xmpmeta xmlns:x=\"adobe:ns:meta/\">")
	fmt.Fprintf(&b, `<rdf:RDF xmlns:rdf=%q><rdf:Description rdf:about="" xmlns:dc=%q xmlns:xmpRights=%q>`,
		spaceRDF, spaceDC, spaceRights)
	for i, p := range rightsProperties {
		if texts := r.xmp[i]; len(texts) > 0 {
			writeProperty(&b, p.prefix+":"+p.name, p.array, texts)
		}
	}
	b.WriteString(`</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>`)
	return b.Bytes()
}

// writeProperty writes a property with its texts. A bytes.Buffer returns no errors.
func writeProperty(b *bytes.Buffer, name, array string, texts []localText) {
	fmt.Fprintf(b, "<%s>", name)
	if array == "" {
		_ = xml.EscapeText(b, []byte(texts[0].text))
	} else {
		fmt.Fprintf(b, "<rdf:%s>", array)
		for _, t := range texts {
			if array == "Alt" && t.language == "" {
				t.language = "x-default"
			}
			b.WriteString("<rdf:li")
			if t.language != "" {
				b.WriteString(` xml:lang="`)
				_ = xml.EscapeText(b, []byte(t.language))
				b.WriteString(`"`)
			}
			b.WriteString(">")
			_ = xml.EscapeText(b, []byte(t.text))
			b.WriteString("</rdf:li>")
		}
		fmt.Fprintf(b, "</rdf:%s>", array)
	}
	fmt.Fprintf(b, "</%s>", name)
}

// xmpOrientation matches the orientation in both forms of a property.
var xmpOrientation = regexp.MustCompile(`(tiff:Orientation(?:\s*=\s*["']|\s*>))\d`)

// uprightXMP returns a copy of a packet with the orientation 1.
func uprightXMP(packet []byte) []byte {
	return xmpOrientation.ReplaceAll(packet, []byte("${1}1"))
}
