"""The commands that compute: `one` study, the gallery and the app's engine; or `every` preset of a scale."""
