package expr

// floorDiv is a/b rounded down, for b > 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// civil is the proleptic Gregorian date of a day counted from 1970-01-01; year 0 is 1 BC. (Algorithm: H. Hinnant, "chrono-Compatible
// Low-Level Date Algorithms", civil_from_days.)
func civil(day int64) (y, m, d int64) {
	day += 719468
	era := floorDiv(day, 146097)
	doe := day - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	m = mp + 3
	if m > 12 {
		m -= 12
	}
	y = yoe + era*400
	if m <= 2 {
		y++
	}
	return y, m, d
}

// dayOf is the reverse of civil (days_from_civil).
func dayOf(y, m, d int64) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := floorDiv(y, 400)
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

func leap(y int64) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

// monthDays is how many days a month has.
func monthDays(y, m int64) int64 {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if leap(y) {
			return 29
		}
		return 28
	}
	return 31
}

// weekday is 1 (Monday) to 7.
func weekday(day int64) int64 { return (day + 3) - floorDiv(day+3, 7)*7 + 1 }

// isoWeek is the week of ISO 8601 and the year that it belongs to.
func isoWeek(day int64) (year, week int64) {
	thursday := day - weekday(day) + 4
	y, _, _ := civil(thursday)
	return y, (thursday-dayOf(y, 1, 1))/7 + 1
}
