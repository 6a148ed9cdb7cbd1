"""What an instrument is set up with: settings, YAML files, and a knob written into one."""
