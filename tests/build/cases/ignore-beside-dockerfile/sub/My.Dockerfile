FROM base
COPY . /made/
