package account

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// reportColumns are the first line of the report on second factors as CSV.
var reportColumns = []string{
	"name", "email", "role", "method", "set_up_by", "since", "last_used", "last_sign_in",
	"has_password", "recovery_codes_left", "suspended",
}

// NoMethod is what the report says where there is no second factor.
const NoMethod = "none"

// ReportCSV writes the report on second factors as CSV (RFC 4180, in UTF-8):
// a line with the names of the columns, then one for each account. Several
// methods are separated by spaces. Times are RFC 3339 in UTC, and empty for
// never. No cell can be taken for a formula.
type ReportCSV struct {
	csv *csv.Writer
}

// NewReportCSV begins a report, which is written to w as it goes.
func NewReportCSV(w io.Writer) (*ReportCSV, error) {
	c := &ReportCSV{csv.NewWriter(w)}
	c.csv.UseCRLF = true
	return c, c.csv.Write(reportColumns)
}

// Write adds a page and hands it on.
func (c *ReportCSV) Write(page []FactorStatus) error {
	for _, s := range page {
		if err := c.csv.Write(s.cells()); err != nil {
			return err
		}
	}
	c.csv.Flush()
	return c.csv.Error()
}

// cells are what the report says of an account, by column.
func (s FactorStatus) cells() []string {
	cells := []string{
		s.Name, s.Email, string(s.Role), s.MethodText(), s.SetUpBy,
		stamp(s.Since), stamp(s.LastUsed), stamp(s.LastSignIn),
		yesNo(s.HasPassword), strconv.Itoa(s.RecoveryCodesLeft), yesNo(s.Suspended),
	}
	for i, cell := range cells {
		cells[i] = noFormula(cell)
	}
	return cells
}

// MethodText is the methods in one cell.
func (s FactorStatus) MethodText() string {
	if len(s.Methods) == 0 {
		return NoMethod
	}
	names := make([]string, len(s.Methods))
	for i, method := range s.Methods {
		names[i] = string(method)
	}
	return strings.Join(names, " ")
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

const (
	// formulaStarts are what a spreadsheet takes for the beginning of a
	// formula, also as Japanese input methods write them.
	formulaStarts = "=+-@" + "＝＋－＠" + "﹦﹢﹣﹫" + "\u2212"
	// cellEnds are what some spreadsheet, or the settings of some country,
	// may take for the end of a cell or of a line, quoted or not.
	cellEnds = ",;|\t\r\n\v\f\u0085\u2028\u2029"
)

// noFormula returns text so that no spreadsheet takes it, or a part of it that
// may become a cell of its own, for a formula: an apostrophe goes before what
// begins like one, and before a control character that begins it (OWASP, "CSV
// Injection"; ASVS 5.0, 1.2.10). All other text stays as it is. Quoting is left
// to encoding/csv.
func noFormula(text string) string {
	var b strings.Builder
	written := 0 // bytes of text
	insert := func(at int) {
		b.WriteString(text[written:at])
		b.WriteByte('\'')
		written = at
	}
	begins := 0     // where the cell begins, -1 if it has begun
	atOnce := false // a quote within other text counts only if nothing lies between
	if first, _ := utf8.DecodeRuneInString(text); unicode.IsControl(first) {
		insert(0)
		begins = -1
	}
	for i, size := 0, 0; i < len(text); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(text[i:])
		switch opened := begins >= 0 && !atOnce; {
		case begins >= 0 && strings.ContainsRune(formulaStarts, r):
			insert(begins)
			begins = -1
		case strings.ContainsRune(cellEnds, r):
			begins, atOnce = i+size, false
		case opened && (overlooked(r) || r == '"' || r == '\''):
		case r == '"':
			begins, atOnce = i+size, true
		default:
			begins = -1
		}
	}
	if b.Len() == 0 {
		return text
	}
	b.WriteString(text[written:])
	return b.String()
}

// overlooked reports whether a spreadsheet may overlook a character at the
// beginning of a cell.
func overlooked(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}
