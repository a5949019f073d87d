abstract interface class _Word {
  String get json;
}

typedef _Read<T> = T Function(Object? value, String path);

FormatException _expected(String what, Object? found, String path) =>
    FormatException('$path: expected $what, found ${_shown(found)}');

String _shown(Object? value) {
  final text = value is String ? '"$value"' : '$value';
  return text.length > 60 ? '${text.substring(0, 57)}...' : text;
}

Map<Object?, Object?> _object(Object? value, String path) {
  if (value is! Map<Object?, Object?>) {
    throw _expected('an object', value, path);
  }
  return value;
}

/// The keys of one object.
final class _Fields {
  _Fields(Object? value, this._path, Set<String> known)
    : _values = _object(value, _path) {
    for (final key in _values.keys) {
      if (!known.contains(key)) {
        throw FormatException(
          '$_path.$key: no such key, only ${known.join(', ')}',
        );
      }
    }
  }

  final Map<Object?, Object?> _values;
  final String _path;

  T needed<T>(String key, _Read<T> read) {
    if (!_values.containsKey(key)) {
      throw FormatException('$_path.$key: expected a value, found nothing');
    }
    return read(_values[key], '$_path.$key');
  }

  T? optional<T>(String key, _Read<T> read) {
    final value = _values[key];
    return value == null ? null : read(value, '$_path.$key');
  }
}

_Read<int> _integer(int least, [int? most]) => (value, path) {
  if (value is int && value >= least && (most == null || value <= most)) {
    return value;
  }
  final range = most == null ? '$least on' : '$least to $most';
  throw _expected('an integer from $range', value, path);
};

/// Lengths are counted in code points, as the service does.
_Read<String> _text(int least, [int? most]) => (value, path) {
  if (value is! String) {
    throw _expected('a text', value, path);
  }
  final length = value.runes.length;
  if (length < least || (most != null && length > most)) {
    final range = most == null ? '$least or more' : '$least to $most';
    throw _expected('a text of $range characters', value, path);
  }
  return value;
};

final _looksLikeDate = RegExp(r'^[0-9]{4}-[0-9]{2}-[0-9]{2}$');

String _date(Object? value, String path) {
  if (value is String && _looksLikeDate.hasMatch(value)) {
    // A day that a month does not have becomes one of the next month.
    final at = DateTime.tryParse('${value}T00:00:00Z');
    if (at != null && at.toIso8601String().startsWith(value)) {
      return value;
    }
  }
  throw _expected('a date like 2026-01-31', value, path);
}

_Read<T> _choice<T extends _Word>(List<T> choices) => (value, path) {
  for (final each in choices) {
    if (each.json == value) {
      return each;
    }
  }
  final what = choices.map((each) => '"${each.json}"').join(' or ');
  throw _expected(what, value, path);
};

_Read<List<T>> _list<T>(_Read<T> read, int least) => (value, path) {
  if (value is! List<Object?> || value.length < least) {
    throw _expected('a list of $least or more', value, path);
  }
  return List<T>.unmodifiable(<T>[
    for (var index = 0; index < value.length; index++)
      read(value[index], '$path[$index]'),
  ]);
};

Object? _anything(Object? value, String path) => value;

/// Whether two JSON values say the same.
bool _same(Object? one, Object? other) {
  if (one is Map<Object?, Object?> && other is Map<Object?, Object?>) {
    return one.length == other.length &&
        one.keys.every(
          (key) => other.containsKey(key) && _same(one[key], other[key]),
        );
  }
  if (one is List<Object?> && other is List<Object?>) {
    if (one.length != other.length) {
      return false;
    }
    for (var index = 0; index < one.length; index++) {
      if (!_same(one[index], other[index])) {
        return false;
      }
    }
    return true;
  }
  return one == other;
}

int _hash(Object? value) {
  if (value is Map<Object?, Object?>) {
    return Object.hashAllUnordered([
      for (final entry in value.entries)
        Object.hash(entry.key, _hash(entry.value)),
    ]);
  }
  return value is List<Object?>
      ? Object.hashAll(value.map(_hash))
      : value.hashCode;
}
