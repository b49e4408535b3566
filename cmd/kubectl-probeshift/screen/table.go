package screen

import "strings"

const (
	// gap is the space between columns, as kubectl has it.
	gap = "   "
	// tightGap is the space where the terminal is too narrow for the table.
	tightGap = "  "
	// minColumn is the narrowest that a column gets when it has to give way.
	minColumn = 10
	// cellBreaks are the characters after which a cell is broken.
	cellBreaks = " -/,"
)

// Column is a column of a table.
type Column struct {
	Title string
	// Right aligns the cells to the right, for numbers.
	Right bool
	// Below moves the cells to lines of their own, under the row, where the
	// terminal is too narrow for the table. It is for the last column.
	Below bool
	// Style gives a cell its style; nil is none.
	Style func(cell string) Style
}

// below is the indentation of cells under their row.
const below = "    "

// Table writes a table. On a terminal it fits: the last column moves below if it
// may, and then cells of the widest columns are broken into lines. Elsewhere a
// row is always one line.
func (s *Screen) Table(columns []Column, rows [][]string) {
	last := len(columns) - 1
	widths := natural(columns, rows)
	under := columns[last].Below && !s.fits(widths, gap)
	if under {
		columns, widths = columns[:last], widths[:last]
	}
	between := gap
	if !s.fits(widths, between) {
		between = tightGap
		narrow(widths, floors(columns), s.width-len(between)*(len(columns)-1))
	}
	titles := make([]string, len(columns))
	plain := make([]Column, len(columns))
	for i, c := range columns {
		titles[i] = c.Title
		plain[i] = Column{Right: c.Right, Style: func(string) Style { return Bold }}
	}
	s.row(plain, titles, widths, between)
	for _, row := range rows {
		s.row(columns, row[:len(columns)], widths, between)
		if under {
			s.Wrapped(below, row[last])
		}
	}
}

// fits says whether columns of these widths fit the terminal.
func (s *Screen) fits(widths []int, between string) bool {
	return s.width == 0 || total(widths, between) <= s.width
}

// natural is how wide each column wants to be.
func natural(columns []Column, rows [][]string) []int {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = Columns(c.Title)
		for _, row := range rows {
			widths[i] = max(widths[i], Columns(row[i]))
		}
	}
	return widths
}

// floors is how narrow each column may get.
func floors(columns []Column) []int {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = max(Columns(c.Title), minColumn)
		if c.Right {
			widths[i] = Columns(c.Title)
		}
	}
	return widths
}

func total(widths []int, between string) int {
	sum := len(between) * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// narrow takes from the widest column until the sum fits, or none can give.
func narrow(widths, least []int, room int) {
	for total(widths, "") > room {
		widest := -1
		for i, w := range widths {
			if w > least[i] && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// row writes one row, of as many lines as its highest cell has.
func (s *Screen) row(columns []Column, cells []string, widths []int, between string) {
	broken := make([][]string, len(cells))
	height := 1
	for i, cell := range cells {
		broken[i] = []string{cell}
		if Columns(cell) > widths[i] {
			broken[i] = wrapCell(cell, widths[i], cellBreaks)
		}
		height = max(height, len(broken[i]))
	}
	for n := range height {
		var line strings.Builder
		owed := 0 // blanks, written only before a text, so that no line ends in them
		for i, lines := range broken {
			if n >= len(lines) {
				owed += widths[i] + len(between)
				continue
			}
			text := lines[n]
			fill := max(0, widths[i]-Columns(text))
			if columns[i].Right {
				owed, fill = owed+fill, 0
			}
			line.WriteString(strings.Repeat(" ", owed) + s.Paint(styleOf(columns[i], cells[i]), text))
			owed = fill + len(between)
		}
		s.Line(strings.TrimRight(line.String(), " "))
	}
}

func styleOf(c Column, cell string) Style {
	if c.Style == nil {
		return ""
	}
	return c.Style(cell)
}
